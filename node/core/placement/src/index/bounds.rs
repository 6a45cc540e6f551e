//! What bounds the points of a block: the extremes of its columns, themselves in columns of one entry per block.

use super::block::{Block, Column, LANES, REFUSED, SURELY, larger, least, most, smaller};
use crate::Fit;
use crate::room::{ALWAYS, QUANTITIES, Take, left, points};

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Bounds {
    share: [Range; QUANTITIES],
    unit: [Range; QUANTITIES],
    /// The greatest of what each node has of its own scarcest quantity, of those that always count.
    scarcest: Vec<f32>,
    age: Vec<f32>,
}

#[derive(Debug, Clone, Default)]
struct Range {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Range {
    fn set(&mut self, w: usize, column: &Column) {
        (self.low[w], self.high[w]) = (least(column), most(column));
    }
}

impl Bounds {
    pub(super) fn new(blocks: &[Block]) -> Self {
        let range = || Range { low: vec![0.0; blocks.len()], high: vec![0.0; blocks.len()] };
        let mut bounds = Self {
            share: std::array::from_fn(|_| range()),
            unit: std::array::from_fn(|_| range()),
            scarcest: vec![0.0; blocks.len()],
            age: vec![0.0; blocks.len()],
        };
        for (w, block) in blocks.iter().enumerate() {
            (0..QUANTITIES).for_each(|q| bounds.unit[q].set(w, &block.unit[q]));
            bounds.set(w, block);
            bounds.age(w, block);
        }
        bounds
    }

    /// After a node of the `w`th block has other resources free.
    pub(super) fn set(&mut self, w: usize, block: &Block) {
        let mut scarcest = [f32::MAX; LANES];
        for q in 0..QUANTITIES {
            self.share[q].set(w, &block.share[q]);
            if q < ALWAYS {
                scarcest.iter_mut().zip(&block.share[q]).for_each(|(a, b)| *a = smaller(*a, *b));
            }
        }
        self.scarcest[w] = most(&scarcest);
    }

    /// After a node of the `w`th block is older or younger.
    pub(super) fn age(&mut self, w: usize, block: &Block) {
        self.age[w] = most(&block.age);
    }

    /// Per block, most points that room and age can give one of its nodes; [`REFUSED`] if none has what is asked.
    pub(super) fn write(&self, fit: Fit, take: &Take, each: f32, out: &mut Vec<f32>) {
        out.clear();
        match fit {
            Fit::Spread => self.spread(take, each, out),
            Fit::Pack => self.pack(take, each, out),
        }
        out.iter_mut().zip(&self.age).for_each(|(bound, age)| *bound += age);
    }

    fn spread(&self, take: &Take, each: f32, out: &mut Vec<f32>) {
        out.extend(self.least(take).into_iter().map(|least| match least < SURELY {
            true => REFUSED,
            false => points(Fit::Spread, least, 0.0, each),
        }));
    }

    fn pack(&self, take: &Take, each: f32, out: &mut Vec<f32>) {
        let mut sums = vec![0.0; self.age.len()];
        for q in (0..QUANTITIES).filter(|q| take.counts[*q]) {
            let columns = self.share[q].low.iter().zip(&self.unit[q].high);
            for (sum, (share, unit)) in sums.iter_mut().zip(columns) {
                *sum += larger(left(*share, *unit, take.amount[q]), SURELY);
            }
        }
        out.extend(self.least(take).into_iter().zip(sums).map(|(least, sum)| match least < SURELY {
            true => REFUSED,
            false => points(Fit::Pack, least, sum, each),
        }));
    }

    /// Per block, most that can be left of a node's scarcest quantity.
    fn least(&self, take: &Take) -> Vec<f32> {
        // No node keeps more of all it needs than it has of what it has least, less the least share it gives.
        let mut given = vec![f32::MAX; self.age.len()];
        for q in 0..ALWAYS {
            for (given, unit) in given.iter_mut().zip(&self.unit[q].low) {
                *given = smaller(*given, take.amount[q] * unit);
            }
        }
        let mut least: Vec<_> = self.scarcest.iter().zip(given).map(|(has, gives)| has - gives).collect();
        for q in (0..QUANTITIES).filter(|q| take.counts[*q]) {
            let columns = self.share[q].high.iter().zip(&self.unit[q].low);
            for (least, (share, unit)) in least.iter_mut().zip(columns) {
                *least = smaller(*least, left(*share, *unit, take.amount[q]));
            }
        }
        least
    }
}
