//! A request as sets of nodes: which it needs, which it cannot have, which gain or lose points.

use super::facts::{Asked, Facts, assign};
use super::{Bits, Index};
use crate::crowd::{Crowd, Place, crowds};
use crate::room::Take;
use crate::score::CROWD;
use crate::{Candidate, Request};
use ikigai_types::{Condition, Domain, NodeId};

/// See the module.
#[derive(Debug)]
pub(super) struct Query {
    pub take: Take,
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
        let Index { policy, nodes, facts, .. } = index;
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
        let mut query = Self { take, must, class, not: None, soft, crowded: Vec::new() };
        query.keep_apart(facts, nodes, request);
        query
    }

    /// What is near those it is to be kept apart from, and what declined.
    fn keep_apart(&mut self, facts: &mut Facts, nodes: &[Candidate], request: &Request) {
        let rank = |id: &NodeId| nodes.binary_search_by_key(id, |c| c.id).ok();
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

    /// Those of the `w`th block that no fact, class or crowd refuses.
    pub(super) fn allowed(&self, index: &Index, w: usize) -> u64 {
        let class = self.class.map_or(u64::MAX, |c| index.admit[c][w]);
        let allowed = self.must.iter().fold(class, |bits, fact| bits & index.facts.bits(*fact)[w]);
        allowed & !self.not.as_ref().map_or(0, |not| not[w])
    }

    /// Sets of the `w`th block that gain or lose points.
    fn softs<'a>(&'a self, index: &'a Index, w: usize) -> impl Iterator<Item = (u64, f32)> + 'a {
        let facts = self.soft.iter().map(move |(fact, points)| (index.facts.bits(*fact)[w], *points));
        facts.chain(self.crowded.iter().map(move |(bits, points)| (bits[w], *points)))
    }

    /// Most points that facts and crowds give one of `allowed`.
    pub(super) fn bound(&self, index: &Index, w: usize, allowed: u64) -> f32 {
        let most = |(bits, points): (u64, f32)| match points > 0.0 {
            true if bits & allowed != 0 => points,
            false if bits & allowed == allowed => points,
            _ => 0.0,
        };
        self.softs(index, w).map(most).sum()
    }

    /// Adds the points that facts and crowds give.
    pub(super) fn add(&self, index: &Index, w: usize, allowed: u64, scores: &mut [f32; 64]) {
        for (bits, points) in self.softs(index, w) {
            let mut left = bits & allowed;
            while left != 0 {
                scores[left.trailing_zeros() as usize] += points;
                left &= left - 1;
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
