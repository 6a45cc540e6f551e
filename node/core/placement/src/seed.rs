//! Chance that is no chance: the same decision draws the same.

use ikigai_types::{NodeId, TaskId};

/// The seed of an attempt's placement by one placer. A dry run derives the same, so a plan says what will happen
/// as long as nothing else does; two placers draw differently, so they do not all run to one node.
pub fn seed(task: &TaskId, attempt: u32, placer: &NodeId) -> u64 {
    let parts = task.as_str().bytes().chain([0]).chain(attempt.to_be_bytes()).chain(*placer.as_bytes());
    // FNV-1a, then SplitMix64's last steps, which make every bit depend on every other.
    mix(parts.fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)))
}

/// SplitMix64's output for the state `z`.
pub(crate) const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_attempt_and_placer_each_change_it() {
        let (a, b) = (TaskId::new("p.f.T001").unwrap(), TaskId::new("p.f.T002").unwrap());
        let (x, y) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let seeds = [seed(&a, 1, &x), seed(&b, 1, &x), seed(&a, 2, &x), seed(&a, 1, &y)];
        let distinct: std::collections::BTreeSet<_> = seeds.into_iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_eq!(seed(&a, 1, &x), seed(&a, 1, &x));
    }
}
