//! One of the nearly best.
//!
//! When many placers with old views all take the best, they all run to one node and most are refused. Each
//! draws a few of the nearly best instead, and takes the best of those.

use crate::Policy;
use crate::seed::mix;

/// Points at which a node is nearly as good as the best.
pub(crate) fn floor(policy: &Policy, best: i32) -> i32 {
    best - i32::from(policy.margin)
}

/// Nodes that are looked at together: what [`Index`](crate::Index) scores in one pass.
pub(crate) const TOGETHER: usize = 64;

/// One draw: an order of all nodes, by chance that the seed fixes.
///
/// Like stand beside like, so whoever is first after a random place would be drawn by nearly everybody. So blocks
/// are visited in steps of a random width, and of each one lane is looked at, a random one, until one is good:
/// every good node is as likely as any other. Only when a round finds none are whole blocks looked through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    seed: u64,
    blocks: usize,
    first: usize,
    step: usize,
}

impl Draw {
    /// The `i`th among `n` nodes.
    fn new(seed: u64, i: u64, n: usize) -> Self {
        let seed = mix(seed.wrapping_add(i.wrapping_mul(0xa076_1d64_78bd_642f)));
        let blocks = n.div_ceil(TOGETHER).max(1);
        let mut step = 1 + below(mix(seed ^ 1), blocks);
        while gcd(step, blocks) != 1 {
            step -= 1;
        }
        Self { seed, blocks, first: below(mix(seed ^ 2), blocks), step }
    }

    fn order(self) -> impl Iterator<Item = usize> {
        (0..self.blocks).map(move |k| (self.first + k * self.step) % self.blocks)
    }

    /// All lanes of the `w`th block, in the order in which they are looked at.
    fn lanes(self, w: usize) -> impl Iterator<Item = usize> {
        let word = mix(self.seed ^ (w as u64) << 2 ^ 3);
        let (first, step) = (below(word, TOGETHER), (word as usize) | 1);
        (0..TOGETHER).map(move |k| first ^ (k.wrapping_mul(step) % TOGETHER))
    }

    /// The drawn one: `open` looks at a block unless nothing in it is good, `good` at one lane of it.
    pub(crate) fn near<B, T>(
        self,
        open: impl Fn(usize) -> Option<B>,
        good: impl Fn(usize, &B, usize) -> Option<T>,
    ) -> Option<T> {
        let lane = |w| self.lanes(w).next().and_then(|lane| good(w, &open(w)?, lane));
        let all = |w| open(w).and_then(|block| self.lanes(w).find_map(|lane| good(w, &block, lane)));
        self.order().find_map(lane).or_else(|| self.order().find_map(all))
    }
}

fn below(bits: u64, n: usize) -> usize {
    ((u128::from(bits) * n as u128) >> 64) as usize
}

const fn gcd(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The draws among `n` nodes.
pub(crate) fn draws(policy: &Policy, seed: u64, n: usize) -> impl Iterator<Item = Draw> {
    (0..u64::from(policy.choices.clamp(1, 4))).map(move |i| Draw::new(seed, i, n))
}

/// The place of the chosen one: `totals` are the points of nodes in their order.
pub(crate) fn choose(policy: &Policy, seed: u64, totals: &[Option<i32>]) -> Option<usize> {
    let best = totals.iter().flatten().max()?;
    let floor = floor(policy, *best);
    let good = |w: usize, _: &(), lane: usize| {
        let i = w * TOGETHER + lane;
        totals.get(i).copied().flatten().filter(|t| *t >= floor).map(|t| (i, t))
    };
    // Of equals the one that was drawn first.
    let drawn = draws(policy, seed, totals.len()).filter_map(|draw| draw.near(|_| Some(()), good));
    drawn.reduce(|a, b| if b.1 > a.1 { b } else { a }).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_chosen_is_nearly_the_best(
            totals in proptest::collection::vec(proptest::option::of(-500_i32..2000), 0..40),
            seed: u64,
        ) {
            let policy = Policy::default();
            let chosen = choose(&policy, seed, &totals);
            let best = totals.iter().flatten().max();
            prop_assert_eq!(chosen.is_some(), best.is_some());
            if let (Some(i), Some(best)) = (chosen, best) {
                prop_assert!(totals[i].unwrap() >= best - i32::from(policy.margin));
            }
        }
    }

    #[test]
    fn equals_share_the_work_about_evenly() {
        let totals = vec![Some(700); 50];
        let mut counts = vec![0_u32; 50];
        (0..10_000).for_each(|s| counts[choose(&Policy::default(), s, &totals).unwrap()] += 1);
        assert!(counts.iter().all(|c| (120..300).contains(c)), "{counts:?}");
    }

    /// A few good ones in a row, as machines of one size stand: each is drawn about as often as any other.
    #[test]
    fn neighbours_share_the_work_about_evenly() {
        let mut totals = vec![Some(100); 1_000];
        totals[600..700].fill(Some(700));
        let mut counts = vec![0_u32; 1_000];
        (0..100_000).for_each(|s| counts[choose(&Policy::default(), s, &totals).unwrap()] += 1);
        assert!(counts[600..700].iter().all(|c| (600..1_500).contains(c)), "{:?}", &counts[600..700]);
    }
}
