//! What holds of every placement, tried on worlds drawn at random.

mod worlds;

use ikigai_placement::{Candidate, Index, Policy, Request, decide, place_by};
use ikigai_types::{ClassShare, ClassSlots, NodeId, Preferences, Resources, WorkloadClass};
use proptest::prelude::*;
use std::collections::BTreeMap;
use worlds::{Dice, candidate, later, nodes, permuted, policy, request};

fn find<'a>(nodes: &'a [Candidate], id: &NodeId) -> &'a Candidate {
    nodes.iter().find(|c| c.id == *id).unwrap()
}

/// What a target would say that knew what the view knows: the rules once more, by other means.
fn admits(c: &Candidate, r: &Request) -> bool {
    let kept: u64 = c
        .classes
        .shares
        .iter()
        .filter(|(class, _)| **class != r.class)
        .map(|(class, share)| share.reserve.saturating_sub(c.classes.used(*class)))
        .sum();
    let limit = c.classes.shares.get(&r.class).and_then(|s| s.limit).unwrap_or(u64::MAX);
    let slots = r.resources.slots;
    c.free.covers(&r.resources)
        && (slots == 0 || c.classes.shares.is_empty() || c.free.slots >= slots + kept)
        && (slots == 0 || c.classes.used(r.class) + slots <= limit)
        && r.requires.conditions().iter().all(|condition| condition.met(&c.tags))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("IKIGAI_SOAK").is_some() { 20_000 } else { 250 }))]

    #[test]
    fn the_index_answers_as_the_scan(seed: u64, n in 0_usize..400, steps in 1_usize..30) {
        let mut d = Dice(seed);
        let (policy, view) = (policy(&mut d), nodes(&mut d, n));
        let mut index = Index::new(policy.clone(), view);
        for _ in 0..steps {
            let r = request(&mut d, n);
            let scan = decide(&policy, &r, index.candidates());
            prop_assert_eq!(index.decide(&r), scan, "{:?}", r);
            match (d.below(9), scan) {
                (0, _) => index.older(std::time::Duration::from_secs(40)),
                (1, _) => index.update(candidate(&mut d, 3)),
                (2, _) => _ = index.remove(&candidate(&mut Dice(0), 5).id),
                (3, Some(id)) => index.give_back(&id, r.class, &r.resources),
                (4 | 5, _) => {
                    if let Some(later) = later(&mut d, index.candidates()) {
                        index.update(later);
                    }
                }
                (_, Some(id)) => index.take(&id, r.class, &r.resources),
                _ => {}
            }
        }
        let fresh = Index::new(policy, index.candidates().to_vec());
        prop_assert_eq!(fresh.candidates(), index.candidates());
    }

    #[test]
    fn a_choice_is_admissible_stable_and_told_in_any_order(seed: u64, n in 0_usize..40) {
        let mut d = Dice(seed);
        let (policy, view, r) = (policy(&mut d), nodes(&mut d, n), request(&mut d, n));
        let placement = place_by(&policy, &r, &view);
        prop_assert_eq!(&placement, &place_by(&policy, &r, &view));
        let other = permuted(&mut d, &view);
        prop_assert_eq!(placement.chosen, decide(&policy, &r, &other));
        for row in &placement.rows {
            prop_assert_eq!(row.score.is_some(), row.refused.is_none());
            prop_assert!(row.refused.is_some() || admits(find(&view, &row.node), &r), "{:?}", row);
            prop_assert_eq!(row.chosen, placement.chosen == Some(row.node));
        }
        let fits = placement.rows.iter().any(|row| row.refused.is_none());
        prop_assert_eq!(placement.chosen.is_some(), fits);
        prop_assert_eq!(placement.refusal().is_none(), fits);
    }

    #[test]
    fn wishes_refuse_nobody(seed: u64, n in 1_usize..40) {
        let mut d = Dice(seed);
        let (policy, view, r) = (policy(&mut d), nodes(&mut d, n), request(&mut d, n));
        let hard = |r: &Request| -> Vec<_> {
            place_by(&policy, r, &view).rows.into_iter().map(|row| row.refused).collect()
        };
        let mut bare = r.clone();
        (bare.prefers, bare.repository, bare.image) = (Preferences::default(), None, String::new());
        bare.spread.retain(|s| s.weight.is_none());
        prop_assert_eq!(hard(&r), hard(&bare));
    }

    #[test]
    fn many_placements_never_overcommit(seed: u64, n in 1_usize..30) {
        let mut d = Dice(seed);
        let mut index = Index::new(policy(&mut d), nodes(&mut d, n));
        let before: BTreeMap<_, _> = index.candidates().iter().map(|c| (c.id, c.free)).collect();
        let mut taken = BTreeMap::<NodeId, Resources>::new();
        for _ in 0..60 {
            let r = request(&mut d, n);
            if let Some(id) = index.decide(&r) {
                prop_assert!(admits(index.get(&id).unwrap(), &r));
                index.take(&id, r.class, &r.resources);
                let sum = taken.entry(id).or_default();
                *sum = sum.plus(&r.resources);
            }
        }
        for (id, sum) in taken {
            prop_assert!(before[&id].covers(&sum), "{id}: {sum:?} of {:?}", before[&id]);
        }
    }

    #[test]
    fn a_flood_of_one_class_leaves_what_is_reserved_for_another(seed: u64, slots in 1_u64..9, reserve in 0_u64..5) {
        let mut d = Dice(seed);
        let all = Resources { cpu_millis: slots * 1000, memory_bytes: slots << 30, slots, ..Default::default() };
        let each = Resources { cpu_millis: 1000, memory_bytes: 1 << 30, ..Default::default() };
        let share = ClassShare { reserve, limit: None, each };
        let node = |i: u8| Candidate {
            allocatable: all,
            free: all,
            classes: ClassSlots { shares: BTreeMap::from([(WorkloadClass::Agent, share)]), ..Default::default() },
            adapters: vec!["codex".to_owned()],
            ..Candidate::new(NodeId::from_bytes([i; 32]), format!("n{i}"))
        };
        let mut index = Index::new(policy(&mut d), (0..4).map(node));
        let ask = |class| Request { class, resources: Resources { slots: 1, ..each }, adapter: "codex".to_owned(), ..Default::default() };
        let mut flood = |class: WorkloadClass| {
            let mut placed = 0;
            while let Some(id) = index.decide(&ask(class)) {
                index.take(&id, class, &ask(class).resources);
                placed += 1;
            }
            placed
        };
        prop_assert_eq!(flood(WorkloadClass::Ci), 4 * slots.saturating_sub(reserve));
        prop_assert_eq!(flood(WorkloadClass::Agent), 4 * reserve.min(slots));
    }
}

#[test]
fn worlds_are_worth_trying() {
    let (mut fits, mut filters) = (0, BTreeMap::new());
    for seed in 0..500 {
        let mut d = Dice(seed);
        let (view, r) = (nodes(&mut d, 30), request(&mut d, 30));
        let placement = place_by(&Policy::default(), &r, &view);
        fits += u32::from(placement.chosen.is_some());
        placement.rows.iter().for_each(|r| *filters.entry(r.refused).or_insert(0) += 1);
    }
    assert!((50..450).contains(&fits), "{fits}");
    assert_eq!(filters.len(), 14, "each of thirteen filters, and none: {filters:?}");
}
