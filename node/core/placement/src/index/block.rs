//! Sixty-four nodes' room as columns, and what bounds it.

use crate::room::{QUANTITIES, Room, Take, left, points};
use crate::{Candidate, Fit};

/// Nodes of a block: as many as a word has bits.
pub(super) const LANES: usize = 64;

/// Points of a node that is refused.
pub(super) const REFUSED: f32 = f32::NEG_INFINITY;

/// Thousandths below zero at which a node surely has not what is asked; above that, whole numbers decide.
const SURELY: f32 = -0.5;

type Column = [f32; LANES];

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Block {
    share: [Column; QUANTITIES],
    unit: [Column; QUANTITIES],
    age: Column,
    /// Lanes that hold a node.
    used: usize,
    bounds: Bounds,
}

/// Least and most of each column.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    share: [(f32, f32); QUANTITIES],
    unit: [(f32, f32); QUANTITIES],
    age: f32,
}

impl Default for Block {
    fn default() -> Self {
        let empty = [[0.0; LANES]; QUANTITIES];
        Self { share: empty, unit: empty, age: [0.0; LANES], used: 0, bounds: Bounds::default() }
    }
}

impl Block {
    pub(super) fn set(&mut self, lane: usize, c: &Candidate) {
        let room = Room::of(&c.allocatable, &c.free);
        for q in 0..QUANTITIES {
            self.share[q][lane] = room.share[q];
            self.unit[q][lane] = room.unit[q];
        }
        self.used = self.used.max(lane + 1);
    }

    pub(super) fn age(&mut self, lane: usize, points: f32) {
        self.age[lane] = points;
    }

    /// After [`Self::set`].
    pub(super) fn sum_up(&mut self) {
        for q in 0..QUANTITIES {
            self.bounds.share[q] = range(&self.share[q][..self.used]);
            self.bounds.unit[q] = range(&self.unit[q][..self.used]);
        }
    }

    /// After [`Self::age`].
    pub(super) fn sum_up_age(&mut self) {
        self.bounds.age = range(&self.age[..self.used]).1;
    }

    /// Most points that room and age can give one of these nodes; [`REFUSED`] if none has what is asked.
    pub(super) fn bound(&self, fit: Fit, take: &Take, each: f32) -> f32 {
        let (mut least, mut sum) = (f32::MAX, 0.0);
        for q in (0..QUANTITIES).filter(|q| take.counts[*q]) {
            let (share, unit) = (self.bounds.share[q], self.bounds.unit[q]);
            least = smaller(least, left(share.1, unit.0, take.amount[q]));
            sum += larger(left(share.0, unit.1, take.amount[q]), SURELY);
        }
        if least < SURELY { REFUSED } else { points(fit, least, sum, each) + self.bounds.age }
    }

    /// Points of each node for its room and age.
    pub(super) fn score(&self, fit: Fit, take: &Take, each: f32) -> Column {
        match fit {
            Fit::Spread => self.score_by(|least, sum| points(Fit::Spread, least, sum, each), take),
            Fit::Pack => self.score_by(|least, sum| points(Fit::Pack, least, sum, each), take),
        }
    }

    #[inline(always)]
    fn score_by(&self, points: impl Fn(f32, f32) -> f32, take: &Take) -> Column {
        let (mut least, mut sum, mut out) = ([f32::MAX; LANES], [0.0; LANES], [0.0; LANES]);
        for q in (0..QUANTITIES).filter(|q| take.counts[*q]) {
            let (share, unit, amount) = (&self.share[q], &self.unit[q], take.amount[q]);
            for i in 0..LANES {
                let left = left(share[i], unit[i], amount);
                sum[i] += left;
                least[i] = smaller(least[i], left);
            }
        }
        for i in 0..LANES {
            let total = points(least[i], sum[i]) + self.age[i];
            out[i] = if least[i] < SURELY { REFUSED } else { total };
        }
        out
    }
}

/// The greatest of a column.
pub(super) fn most(column: &Column) -> f32 {
    let mut halves = *column;
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            halves[i] = larger(halves[i], halves[i + n]);
        }
        n /= 2;
    }
    halves[0]
}

fn range(column: &[f32]) -> (f32, f32) {
    column.iter().fold((f32::MAX, f32::MIN), |(low, high), x| (smaller(low, *x), larger(high, *x)))
}

#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}
