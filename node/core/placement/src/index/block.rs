//! Sixty-four nodes' room as columns.

use crate::room::{ALWAYS, QUANTITIES, Room, Take, left, points};
use crate::{Candidate, Fit};

/// Nodes of a block: as many as a word has bits.
pub(super) const LANES: usize = crate::choose::TOGETHER;

/// Lanes that are looked at together: what one register holds.
const WIDTH: usize = 4;

/// Points of a node that is refused.
pub(super) const REFUSED: f32 = f32::NEG_INFINITY;

/// Thousandths below zero at which a node surely has not what is asked; above that, whole numbers decide.
pub(super) const SURELY: f32 = -0.5;

pub(super) type Column = [f32; LANES];

/// For each set of four lanes what is added to the others, so that they are refused.
const DENIED: [[f32; WIDTH]; 16] = four(REFUSED, 0.0);

/// For each set of four lanes what its own are multiplied by, and the others.
const MEMBERS: [[f32; WIDTH]; 16] = four(0.0, 1.0);

const fn four(out: f32, within: f32) -> [[f32; WIDTH]; 16] {
    let mut table = [[out; WIDTH]; 16];
    let mut i = 0;
    while i < 64 {
        if (i / WIDTH) >> (i % WIDTH) & 1 == 1 {
            table[i / WIDTH][i % WIDTH] = within;
        }
        i += 1;
    }
    table
}

/// See the module. Lanes without a node are like the first, so that they change no bound.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub share: [Column; QUANTITIES],
    pub unit: [Column; QUANTITIES],
    pub age: Column,
}

impl Default for Block {
    fn default() -> Self {
        let empty = [[0.0; LANES]; QUANTITIES];
        Self { share: empty, unit: empty, age: [0.0; LANES] }
    }
}

impl Block {
    pub(super) fn set(&mut self, lane: usize, c: &Candidate, age: f32) {
        let room = Room::of(&c.allocatable, &c.free);
        for q in 0..QUANTITIES {
            self.share[q][lane] = room.share[q];
            self.unit[q][lane] = room.unit[q];
        }
        self.age[lane] = age;
    }

    /// Makes the lanes from `used` on like the first.
    pub(super) fn pad(&mut self, used: usize) {
        for column in self.share.iter_mut().chain(&mut self.unit).chain([&mut self.age]) {
            let first = column[0];
            column[used..].fill(first);
        }
    }

    /// Points of each node of `allowed` for its room and age.
    pub(super) fn score(&self, fit: Fit, take: &Take, each: f32, allowed: u64) -> Column {
        let plain = take.counts[ALWAYS..].iter().all(|c| !c);
        match (fit, plain) {
            (Fit::Spread, true) => {
                self.columns::<ALWAYS>(|l, s| points(Fit::Spread, l, s, each), take, allowed)
            }
            (Fit::Spread, false) => {
                self.columns::<QUANTITIES>(|l, s| points(Fit::Spread, l, s, each), take, allowed)
            }
            (Fit::Pack, true) => self.columns::<ALWAYS>(|l, s| points(Fit::Pack, l, s, each), take, allowed),
            (Fit::Pack, false) => {
                self.columns::<QUANTITIES>(|l, s| points(Fit::Pack, l, s, each), take, allowed)
            }
        }
    }

    /// Of the first `N` quantities those that count.
    #[inline(always)]
    fn columns<const N: usize>(&self, points: impl Fn(f32, f32) -> f32, take: &Take, allowed: u64) -> Column {
        let mut out = [0.0; LANES];
        let (amount, counts) = (take.amount, take.counts);
        for (i, lane) in out.iter_mut().enumerate() {
            let (mut least, mut sum) = (f32::MAX, 0.0);
            for q in 0..N {
                let left = left(self.share[q][i], self.unit[q][i], amount[q]);
                let counts = q < ALWAYS || counts[q];
                sum += if counts { left } else { 0.0 };
                least = smaller(least, if counts { left } else { f32::MAX });
            }
            let total = points(least, sum) + self.age[i];
            *lane = if least < SURELY { REFUSED } else { total };
        }
        if allowed != u64::MAX {
            apply(&mut out, allowed, |k| &DENIED[k], |total, denied| total + denied);
        }
        out
    }
}

/// Combines each lane with what the table says for the four bits it is among.
#[inline(always)]
fn apply(
    column: &mut Column,
    bits: u64,
    table: impl Fn(usize) -> &'static [f32; WIDTH],
    of: impl Fn(f32, f32) -> f32,
) {
    for (k, four) in column.chunks_exact_mut(WIDTH).enumerate() {
        let with = table((bits >> (k * WIDTH) & 15) as usize);
        for i in 0..WIDTH {
            four[i] = of(four[i], with[i]);
        }
    }
}

/// Adds `points` to the lanes in `bits`.
pub(super) fn add(column: &mut Column, bits: u64, points: f32) {
    apply(column, bits, |k| &MEMBERS[k], |total, member| total + member * points);
}

/// The greatest of a column.
pub(super) fn most(column: &Column) -> f32 {
    fold(column, larger)
}

/// The least of a column.
pub(super) fn least(column: &Column) -> f32 {
    fold(column, smaller)
}

/// Halves that are folded onto each other: in any order the answer is the same, and so many at once are quick.
#[inline(always)]
fn fold(column: &Column, of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut halves = *column;
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            halves[i] = of(halves[i], halves[i + n]);
        }
        n /= 2;
    }
    halves[0]
}

#[inline(always)]
pub(super) fn smaller(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}
