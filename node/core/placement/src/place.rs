//! Filter, score, explain.

use crate::{Candidate, Request};
use ikigai_types::{Filter, NodeId, PlacementRow, Resources};

/// The choice, and one row for each node that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The node, if one fits.
    pub chosen: Option<NodeId>,
    /// One row per candidate, in the order given.
    pub rows: Vec<PlacementRow>,
}

impl Placement {
    /// Why no node fits, in a sentence; `None` when one does.
    pub fn refusal(&self) -> Option<String> {
        if self.chosen.is_some() {
            return None;
        }
        let Some(first) = self.rows.first() else { return Some("no node is known".to_owned()) };
        let same = self.rows.iter().all(|r| r.reason == first.reason);
        Some(match (same, self.rows.len()) {
            (true, 1) => format!("{}: {}", first.name, first.reason),
            (true, n) => format!("each of {n} nodes: {}", first.reason),
            (false, _) => {
                let parts: Vec<_> =
                    self.rows.iter().take(5).map(|r| format!("{}: {}", r.name, r.reason)).collect();
                parts.join("; ")
            }
        })
    }
}

/// Picks the node with the highest score among those no filter refuses; of equals, the one with the lowest
/// id, so that planning twice changes nothing.
pub fn place(request: &Request, candidates: &[Candidate]) -> Placement {
    let mut rows: Vec<_> = candidates.iter().map(|c| row(request, c)).collect();
    let best = (0..rows.len())
        .filter(|i| rows[*i].score.is_some())
        .max_by(|a, b| rows[*a].score.cmp(&rows[*b].score).then(rows[*b].node.cmp(&rows[*a].node)));
    if let Some(i) = best {
        rows[i].chosen = true;
    }
    Placement { chosen: best.map(|i| rows[i].node), rows }
}

fn row(request: &Request, c: &Candidate) -> PlacementRow {
    let base = |score, refused, reason| PlacementRow {
        node: c.id,
        name: c.name.clone(),
        score,
        refused,
        reason,
        chosen: false,
    };
    match filter(request, c) {
        Some((filter, reason)) => base(None, Some(filter), reason),
        None => {
            let (score, reason) = score(request, c);
            base(Some(score), None, reason)
        }
    }
}

/// The first filter that refuses `c`. What can never change by waiting comes first.
fn filter(request: &Request, c: &Candidate) -> Option<(Filter, String)> {
    if !c.alive {
        return Some((Filter::Liveness, "is not alive".to_owned()));
    }
    if let Some(pair) = request.requires.unmet(&c.tags) {
        return Some((Filter::Tag, format!("no tag {pair}")));
    }
    if !c.adapters.contains(&request.adapter) {
        return Some((Filter::Adapter, format!("no adapter {}", request.adapter)));
    }
    if !request.provider.is_empty() && !c.providers.contains(&request.provider) {
        return Some((Filter::Credential, format!("no credential for provider {}", request.provider)));
    }
    if !c.image {
        return Some((Filter::ImageMissing, "no agent image".to_owned()));
    }
    if let Some((what, want, have)) = c.allocatable.lacks(&request.resources) {
        return Some((Filter::Capacity, format!("too small: asks {what} {want}, has {have} in all")));
    }
    if c.cordoned {
        return Some((Filter::Cordoned, "is cordoned".to_owned()));
    }
    let (what, want, have) = c.free.lacks(&request.resources)?;
    Some((Filter::Capacity, format!("no capacity: asks {what} {want}, free {have}")))
}

/// The share of its scarcest quantity that stays free after the task, 0 to 1000: work spreads.
fn score(request: &Request, c: &Candidate) -> (u32, String) {
    let left = c.free.minus(&request.resources);
    let shares = shares(&left, &c.allocatable);
    let (what, share) = shares.into_iter().min_by_key(|(_, s)| *s).unwrap_or(("cpu", 0));
    let percent = share / 10;
    (share, format!("{percent} % of its {what} stays free"))
}

fn shares(left: &Resources, of: &Resources) -> Vec<(&'static str, u32)> {
    let all = [
        ("cpu", left.cpu_millis, of.cpu_millis),
        ("memory", left.memory_bytes, of.memory_bytes),
        ("slots", left.slots, of.slots),
    ];
    let share =
        |l: u64, o: u64| u32::try_from(u128::from(l) * 1000 / u128::from(o)).unwrap_or(1000).min(1000);
    all.into_iter().filter(|(_, _, o)| *o > 0).map(|(n, l, o)| (n, share(l, o))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::{Selector, Tags};
    use proptest::prelude::*;

    fn node(i: u8, free_cpu: u64) -> Candidate {
        let all = Resources { cpu_millis: 4000, memory_bytes: 8 << 30, slots: 4, ..Default::default() };
        Candidate {
            id: NodeId::from_bytes([i; 32]),
            name: format!("n{i}"),
            alive: true,
            cordoned: false,
            allocatable: all,
            free: Resources { cpu_millis: free_cpu, ..all },
            tags: Tags::default(),
            adapters: vec!["codex".to_owned()],
            providers: vec!["scripted".to_owned()],
            image: true,
        }
    }

    fn request() -> Request {
        Request {
            resources: Resources { cpu_millis: 1000, memory_bytes: 1 << 30, slots: 1, ..Default::default() },
            requires: Selector::default(),
            adapter: "codex".to_owned(),
            provider: "scripted".to_owned(),
        }
    }

    #[test]
    fn the_freest_node_is_chosen_and_each_row_says_why() {
        let p = place(&request(), &[node(1, 1000), node(2, 4000), node(3, 500)]);
        assert_eq!(p.chosen, Some(NodeId::from_bytes([2; 32])));
        let reasons: Vec<_> = p.rows.iter().map(|r| r.reason.as_str()).collect();
        let full = "no capacity: asks cpu 1000, free 500";
        assert_eq!(reasons, ["0 % of its cpu stays free", "75 % of its cpu stays free", full]);
    }

    #[test]
    fn each_filter_names_itself() {
        type Case = (fn(&mut Candidate), Filter, &'static str);
        let cases: [Case; 7] = [
            (|c| c.alive = false, Filter::Liveness, "n1: is not alive"),
            (|c| c.cordoned = true, Filter::Cordoned, "n1: is cordoned"),
            (|c| c.adapters.clear(), Filter::Adapter, "n1: no adapter codex"),
            (|c| c.providers.clear(), Filter::Credential, "n1: no credential for provider scripted"),
            (|c| c.image = false, Filter::ImageMissing, "n1: no agent image"),
            (|c| c.free.slots = 0, Filter::Capacity, "n1: no capacity: asks slot 1, free 0"),
            (
                |c| c.allocatable.memory_bytes = 1,
                Filter::Capacity,
                "n1: too small: asks memory 1073741824, has 1 in all",
            ),
        ];
        for (spoil, filter, text) in cases {
            let mut c = node(1, 4000);
            spoil(&mut c);
            let p = place(&request(), &[c]);
            assert_eq!((p.rows[0].refused, p.refusal().as_deref()), (Some(filter), Some(text)));
        }
        let gpu = Request { requires: "gpu=true".parse().unwrap(), ..request() };
        let p = place(&gpu, &[node(1, 4000), node(2, 4000)]);
        assert_eq!(p.refusal().as_deref(), Some("each of 2 nodes: no tag gpu=true"));
    }

    proptest! {
        #[test]
        fn a_plan_is_stable_and_never_overcommits(cpus in proptest::collection::vec(0_u64..5000, 0..20)) {
            let nodes: Vec<_> = cpus.iter().enumerate().map(|(i, c)| node(i as u8, *c)).collect();
            let first = place(&request(), &nodes);
            prop_assert_eq!(&first, &place(&request(), &nodes));
            prop_assert_eq!(first.chosen.is_some(), cpus.iter().any(|c| *c >= 1000));
            if let Some(id) = first.chosen {
                let chosen = nodes.iter().find(|n| n.id == id).unwrap();
                prop_assert!(chosen.free.covers(&request().resources));
            }
        }
    }
}
