//! The best of all nodes, then one of those nearly as good.

use super::Index;
use super::block::{LANES, REFUSED, most};
use super::query::Query;
use crate::Request;
use crate::choose::{floor, starts};
use crate::filter::full;
use ikigai_types::NodeId;

impl Index {
    /// The node that [`decide`](crate::decide()) picks of these candidates.
    pub fn decide(&mut self, request: &Request) -> Option<NodeId> {
        let query = Query::of(self, request);
        let mut bounds = std::mem::take(&mut self.bounds);
        let chosen = Search { index: self, request, query: &query, each: query.take.each() }.run(&mut bounds);
        self.bounds = bounds;
        chosen.map(|i| self.nodes[i].id)
    }
}

struct Search<'a> {
    index: &'a Index,
    request: &'a Request,
    query: &'a Query,
    each: f32,
}

impl Search<'_> {
    fn run(&self, bounds: &mut Vec<f32>) -> Option<usize> {
        bounds.clear();
        bounds.extend((0..self.index.blocks.len()).map(|w| self.bound(w)));
        let first = (0..bounds.len()).reduce(|a, b| if bounds[b] > bounds[a] { b } else { a })?;
        let mut best = REFUSED;
        for w in std::iter::once(first).chain(0..bounds.len()) {
            if bounds[w] > best {
                bounds[w] = self.best_of(w, &mut best);
            }
        }
        if best == REFUSED {
            return None;
        }
        let floor = floor(&self.index.policy, best as i32) as f32;
        let drawn = starts(&self.index.policy, self.request.seed, self.index.nodes.len());
        let drawn = drawn.filter_map(|start| self.near(start, floor, bounds));
        drawn.reduce(|a, b| if b.1 > a.1 { b } else { a }).map(|(i, _)| i)
    }

    /// Most points a node of the `w`th block can have.
    fn bound(&self, w: usize) -> f32 {
        let allowed = self.query.allowed(self.index, w);
        if allowed == 0 {
            return REFUSED;
        }
        let block = &self.index.blocks[w];
        block.bound(self.index.policy.fit, &self.query.take, self.each)
            + self.query.bound(self.index, w, allowed)
    }

    /// Raises `best` to the best of the `w`th block, if that is better; answers what bounds the block now.
    fn best_of(&self, w: usize, best: &mut f32) -> f32 {
        let mut scores = self.scores(w);
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

    /// The first node at or after `start`, around to it again, with at least `floor` points.
    fn near(&self, start: usize, floor: f32, bounds: &mut [f32]) -> Option<(usize, f32)> {
        let (first, lane) = (start / LANES, start % LANES);
        let n = bounds.len();
        let around =
            (first..n).map(|w| (w, if w == first { lane } else { 0 })).chain((0..=first).map(|w| (w, 0)));
        for (w, from) in around {
            if bounds[w] < floor {
                continue;
            }
            let scores = self.scores(w);
            let good = |i: &usize| scores[*i] >= floor && self.fits(w * LANES + i);
            if let Some(i) = (from..LANES).find(good) {
                return Some((w * LANES + i, scores[i]));
            }
            if from == 0 {
                bounds[w] = REFUSED;
            }
        }
        None
    }

    /// Points of each node of the `w`th block, as far as columns and bits tell.
    fn scores(&self, w: usize) -> [f32; LANES] {
        let allowed = self.query.allowed(self.index, w);
        let mut scores = self.index.blocks[w].score(self.index.policy.fit, &self.query.take, self.each);
        self.query.add(self.index, w, allowed, &mut scores);
        let mut denied = !allowed;
        while denied != 0 {
            scores[denied.trailing_zeros() as usize] = REFUSED;
            denied &= denied - 1;
        }
        scores
    }

    /// What only whole numbers tell.
    fn fits(&self, i: usize) -> bool {
        let c = &self.index.nodes[i];
        c.allocatable.covers(&self.request.resources) && full(self.request, c).is_none()
    }
}
