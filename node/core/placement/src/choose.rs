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

/// Where among `n` nodes, in their order, the search for each drawn one begins.
pub(crate) fn starts(policy: &Policy, seed: u64, n: usize) -> impl Iterator<Item = usize> {
    let draw = move |i: u64| {
        let wide = u128::from(mix(seed.wrapping_add(i.wrapping_mul(0xa076_1d64_78bd_642f)))) * n as u128;
        (wide >> 64) as usize
    };
    (0..u64::from(policy.choices.clamp(1, 4))).map(draw)
}

/// The place of the chosen one: `totals` are the points of nodes in their order.
pub(crate) fn choose(policy: &Policy, seed: u64, totals: &[Option<i32>]) -> Option<usize> {
    let best = totals.iter().flatten().max()?;
    let floor = floor(policy, *best);
    let near = |start: usize| {
        let around = (start..totals.len()).chain(0..start);
        around.filter_map(|i| totals[i].map(|t| (i, t))).find(|(_, t)| *t >= floor)
    };
    // Of equals the one that was drawn first.
    let drawn = starts(policy, seed, totals.len()).filter_map(near);
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
}
