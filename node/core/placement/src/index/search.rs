//! The best of all nodes, then one of those nearly as good.

use super::block::{Column, LANES, REFUSED, most};
use super::query::Query;
use super::{Index, Notes};
use crate::Request;
use crate::choose::{Draw, draws, floor};
use crate::filter::full;
use ikigai_types::NodeId;

impl Index {
    /// The node that [`decide`](crate::decide()) picks of these candidates.
    pub fn decide(&mut self, request: &Request) -> Option<NodeId> {
        let query = Query::of(self, request);
        let mut notes = std::mem::take(&mut self.notes);
        let chosen = Search { index: self, request, query: &query }.run(&mut notes);
        self.notes = notes;
        chosen.map(|i| self.nodes[i].id)
    }
}

struct Search<'a> {
    index: &'a Index,
    request: &'a Request,
    query: &'a Query,
}

impl Search<'_> {
    fn run(&self, notes: &mut Notes) -> Option<usize> {
        let Notes { allowed, most } = notes;
        let Index { policy, bounds, nodes, .. } = self.index;
        self.query.allowed(self.index, allowed);
        bounds.write(policy.fit, &self.query.take, self.query.each, most);
        self.query.bound(self.index, allowed, most);
        most.iter_mut().zip(&*allowed).filter(|(_, a)| **a == 0).for_each(|(bound, _)| *bound = REFUSED);
        let first = (0..most.len()).reduce(|a, b| if most[b] > most[a] { b } else { a })?;
        let mut best = REFUSED;
        for w in std::iter::once(first).chain(0..most.len()) {
            if most[w] > best {
                most[w] = self.best_of(w, allowed[w], &mut best);
            }
        }
        if best == REFUSED {
            return None;
        }
        let floor = floor(policy, best as i32) as f32;
        let drawn = draws(policy, self.request.seed, nodes.len());
        let drawn = drawn.filter_map(|draw| self.near(draw, floor, notes));
        drawn.reduce(|a, b| if b.1 > a.1 { b } else { a }).map(|(i, _)| i)
    }

    /// Raises `best` to the best of the `w`th block, if that is better; answers what bounds the block now.
    fn best_of(&self, w: usize, allowed: u64, best: &mut f32) -> f32 {
        let mut scores = self.scores(w, allowed);
        loop {
            let top = most(&scores);
            if top <= *best {
                return top;
            }
            let lane = scores.iter().position(|s| *s == top).expect("invariant: the greatest is one of them");
            if self.fits(w * LANES + lane) {
                *best = top;
                return top;
            }
            scores[lane] = REFUSED;
        }
    }

    /// The drawn one of those with at least `floor` points.
    fn near(&self, draw: Draw, floor: f32, notes: &Notes) -> Option<(usize, f32)> {
        let open = |w: usize| (notes.most[w] >= floor).then(|| self.scores(w, notes.allowed[w]));
        let good = |w: usize, scores: &Column, lane: usize| {
            let i = w * LANES + lane;
            (scores[lane] >= floor && self.fits(i)).then_some((i, scores[lane]))
        };
        draw.near(open, good)
    }

    /// Points of each node of the `w`th block, as far as columns and bits tell.
    fn scores(&self, w: usize, allowed: u64) -> Column {
        let (fit, query) = (self.index.policy.fit, self.query);
        let mut scores = self.index.blocks[w].score(fit, &query.take, query.each, allowed);
        query.add(self.index, w, allowed, &mut scores);
        scores
    }

    /// What only whole numbers tell.
    fn fits(&self, i: usize) -> bool {
        let c = &self.index.nodes[i];
        c.allocatable.covers(&self.request.resources) && full(self.request, c).is_none()
    }
}
