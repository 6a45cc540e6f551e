//! A request as sets of nodes: which it needs, which it cannot have, which gain or lose points.

use super::block::{Column, add};
use super::facts::{Asked, Facts, assign};
use super::{Bits, Index};
use crate::crowd::{Crowd, Place, crowds};
use crate::room::Take;
use crate::score::CROWD;
use crate::{Candidate, Request};
use ikigai_types::{Condition, Domain, NodeId};
use std::collections::HashMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Query {
    pub take: Take,
    pub each: f32,
    /// Facts a node must have.
    must: Vec<usize>,
    /// Class whose rules must admit it, when it asks for slots.
    class: Option<usize>,
    /// Nodes it cannot have.
    not: Option<Bits>,
    /// Points for having a fact.
    soft: Vec<(usize, f32)>,
    /// Points for being one of these.
    crowded: Vec<(Bits, f32)>,
}

impl Query {
    pub(super) fn of(index: &mut Index, request: &Request) -> Self {
        let Index { policy, nodes, ranks, facts, .. } = index;
        facts.tidy();
        let mut fact = |asked| facts.place(asked, nodes);
        let mut must = vec![
            fact(Asked::Open),
            fact(Asked::Tolerated(&request.tolerations)),
            fact(Asked::Adapter(&request.adapter)),
        ];
        must.extend(request.requires.conditions().iter().map(|c| fact(Asked::Condition(c))));
        if !request.provider.is_empty() {
            must.push(fact(Asked::Provider(&request.provider)));
        }
        let mut soft = vec![(fact(Asked::Avoided(&request.tolerations)), -f32::from(policy.taint))];
        soft.extend(
            request.prefers.0.iter().map(|w| (fact(Asked::Condition(&w.condition)), f32::from(w.weight))),
        );
        if let Some(project) = &request.repository {
            soft.push((fact(Asked::Repository(project)), f32::from(policy.repository)));
        }
        if !request.image.is_empty() {
            soft.push((fact(Asked::Image(&request.image)), f32::from(policy.image)));
        }
        match request.resources.gpus {
            0 => soft.push((fact(Asked::Gpus), -f32::from(policy.gpu_kept))),
            _ => must.push(fact(Asked::Gpus)),
        }
        let class = (request.resources.slots > 0).then_some(request.class.index());
        let take = Take::of(&request.resources);
        let mut query = Self { take, each: take.each(), must, class, not: None, soft, crowded: Vec::new() };
        query.keep_apart(facts, nodes, ranks, request);
        query
    }

    /// What is near those it is to be kept apart from, and what declined.
    fn keep_apart(
        &mut self,
        facts: &mut Facts,
        nodes: &[Candidate],
        ranks: &HashMap<NodeId, usize>,
        request: &Request,
    ) {
        let rank = |id: &NodeId| ranks.get(id).copied();
        for i in request.declined.iter().filter_map(rank) {
            assign(self.refused(nodes), i, true);
        }
        for crowd in crowds(request, |id| rank(id).map(|i| &nodes[i])) {
            for (place, count) in &crowd.counts {
                let bits = members(facts, nodes, &crowd, *place, rank);
                match crowd.spread.weight {
                    None => self.refused(nodes).iter_mut().zip(&bits).for_each(|(a, b)| *a |= b),
                    Some(weight) => {
                        let points = f32::from(weight) * (*count).min(CROWD) as f32;
                        self.crowded.push((bits, -points));
                    }
                }
            }
        }
    }

    fn refused(&mut self, nodes: &[Candidate]) -> &mut Bits {
        self.not.get_or_insert_with(|| vec![0; nodes.len().div_ceil(64)])
    }

    /// Writes the nodes that no fact, class or crowd refuses.
    pub(super) fn allowed(&self, index: &Index, out: &mut Bits) {
        out.clear();
        match self.class {
            Some(class) => out.extend_from_slice(&index.admit[class]),
            None => out.resize(index.blocks.len(), u64::MAX),
        }
        let mut keep = |bits: &[u64], flip: u64| out.iter_mut().zip(bits).for_each(|(a, b)| *a &= b ^ flip);
        self.must.iter().for_each(|fact| keep(index.facts.bits(*fact), 0));
        if let Some(not) = &self.not {
            keep(not, u64::MAX);
        }
    }

    /// Sets of nodes that gain or lose points.
    fn softs<'a>(&'a self, index: &'a Index) -> impl Iterator<Item = (&'a [u64], f32)> {
        let facts = self.soft.iter().map(|(fact, points)| (index.facts.bits(*fact), *points));
        facts.chain(self.crowded.iter().map(|(bits, points)| (bits.as_slice(), *points)))
    }

    /// Adds per block the most points that facts and crowds give one of `allowed`.
    pub(super) fn bound(&self, index: &Index, allowed: &[u64], out: &mut [f32]) {
        for (bits, points) in self.softs(index) {
            for ((bound, bits), allowed) in out.iter_mut().zip(bits).zip(allowed) {
                let some = if points > 0.0 { bits & allowed != 0 } else { allowed & !bits == 0 };
                *bound += if some { points } else { 0.0 };
            }
        }
    }

    /// Adds to the `w`th block's nodes the points that facts and crowds give.
    pub(super) fn add(&self, index: &Index, w: usize, allowed: u64, scores: &mut Column) {
        for (bits, points) in self.softs(index) {
            if bits[w] & allowed != 0 {
                add(scores, bits[w], points);
            }
        }
    }
}

/// The nodes of one domain.
fn members(
    facts: &mut Facts,
    nodes: &[Candidate],
    crowd: &Crowd<'_>,
    place: Place<'_>,
    rank: impl Fn(&NodeId) -> Option<usize>,
) -> Bits {
    match (place, &crowd.spread.by) {
        (Place::Value(value), Domain::Tag(key)) => {
            let condition = Condition::is(key.as_str(), value);
            let place = facts.place(Asked::Condition(&condition), nodes);
            facts.bits(place).to_vec()
        }
        (Place::Node(id), _) => {
            let mut bits = vec![0; nodes.len().div_ceil(64)];
            rank(&id).into_iter().for_each(|i| assign(&mut bits, i, true));
            bits
        }
        (Place::Value(_), Domain::Node) => Bits::new(),
    }
}
