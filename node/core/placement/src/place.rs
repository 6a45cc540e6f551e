//! Filter, score, choose; and, when asked, explain.

use crate::choose::choose;
use crate::crowd::{Crowd, crowds};
use crate::filter::refusal;
use crate::score::{explain, total};
use crate::{Candidate, Policy, Request};
use ikigai_types::{Filter, NodeId, PlacementRow};
use std::collections::BTreeMap;

/// Rows that a sentence names one by one; of more it counts those that say the same.
const NAMED: usize = 5;

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
            (false, n) if n <= NAMED => {
                let parts: Vec<_> = self.rows.iter().map(|r| format!("{}: {}", r.name, r.reason)).collect();
                parts.join("; ")
            }
            (false, _) => self.counted(),
        })
    }

    /// `812 nodes: no tag gpu=true; 3 nodes: is cordoned`: what most say first.
    fn counted(&self) -> String {
        let mut groups = BTreeMap::<(Option<Filter>, &str), usize>::new();
        for row in &self.rows {
            *groups.entry((row.refused, stem(&row.reason))).or_default() += 1;
        }
        let mut groups: Vec<_> = groups.into_iter().map(|((_, reason), n)| (n, reason)).collect();
        groups.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let named = groups.iter().take(NAMED).map(|(n, reason)| match n {
            1 => format!("1 node: {reason}"),
            n => format!("{n} nodes: {reason}"),
        });
        let mut parts: Vec<_> = named.collect();
        match groups.iter().skip(NAMED).map(|(n, _)| n).sum() {
            0_usize => {}
            n => parts.push(format!("{n} more for other reasons")),
        }
        parts.join("; ")
    }
}

/// A reason without what differs from node to node.
fn stem(reason: &str) -> &str {
    reason.split_once(", free ").or_else(|| reason.split_once(", has ")).map_or(reason, |(stem, _)| stem)
}

/// [`place_by`] the usual policy.
pub fn place(request: &Request, candidates: &[Candidate]) -> Placement {
    place_by(&Policy::default(), request, candidates)
}

/// Picks a node that no filter refuses and that is nearly as good as the best, by the request's seed, and says
/// of each candidate why or why not.
///
/// The same request, candidates (in any order) and seed give the same choice, so planning twice changes nothing.
pub fn place_by(policy: &Policy, request: &Request, candidates: &[Candidate]) -> Placement {
    let chosen = decide(policy, request, candidates);
    let crowds = crowds(request, finder(candidates));
    let row = |c: &Candidate| row(policy, request, c, &crowds, chosen == Some(c.id));
    Placement { chosen, rows: candidates.iter().map(row).collect() }
}

/// The node [`place_by`] picks, without a word.
pub fn decide(policy: &Policy, request: &Request, candidates: &[Candidate]) -> Option<NodeId> {
    let mut ordered: Vec<_> = candidates.iter().collect();
    ordered.sort_by_key(|c| order(c));
    let crowds = crowds(request, finder(candidates));
    let points = |c: &&Candidate| match refusal(request, c, &crowds) {
        Some(_) => None,
        None => Some(total(policy, request, c, &crowds)),
    };
    let totals: Vec<_> = ordered.iter().map(points).collect();
    choose(policy, request.seed, &totals).map(|i| ordered[i].id)
}

/// Why `c` cannot have the task, in a sentence: what a node that was offered one asks of itself.
pub fn refuses(request: &Request, c: &Candidate) -> Option<String> {
    refusal(request, c, &crowds(request, finder(std::slice::from_ref(c)))).map(|r| r.to_string())
}

/// The order in which nodes are drawn from: by size, then by id, however they were given.
pub(crate) fn order(c: &Candidate) -> ([u64; 5], NodeId) {
    let r = &c.allocatable;
    ([r.cpu_millis, r.memory_bytes, r.slots, r.disk_bytes, r.gpus], c.id)
}

fn finder<'a>(candidates: &'a [Candidate]) -> impl Fn(&NodeId) -> Option<&'a Candidate> {
    |id| candidates.iter().find(|c| c.id == *id)
}

/// What is said of one node.
pub(crate) fn row(
    policy: &Policy,
    request: &Request,
    c: &Candidate,
    crowds: &[Crowd<'_>],
    chosen: bool,
) -> PlacementRow {
    let (score, refused, reason) = match refusal(request, c, crowds) {
        Some(refusal) => (None, Some(refusal.filter()), refusal.to_string()),
        None => {
            let (score, reason) = explain(policy, request, c, crowds);
            (Some(score), None, reason)
        }
    };
    PlacementRow { node: c.id, name: c.name.clone(), score, refused, reason, chosen }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::{Liveness, Resources};
    use proptest::prelude::*;

    fn node(i: u8, free_cpu: u64) -> Candidate {
        let all = Resources { cpu_millis: 4000, memory_bytes: 8 << 30, slots: 4, ..Default::default() };
        Candidate {
            allocatable: all,
            free: Resources { cpu_millis: free_cpu, ..all },
            adapters: vec!["codex".to_owned()],
            providers: vec!["scripted".to_owned()],
            ..Candidate::new(NodeId::from_bytes([i; 32]), format!("n{i}"))
        }
    }

    fn request() -> Request {
        Request {
            resources: Resources { cpu_millis: 1000, memory_bytes: 1 << 30, slots: 1, ..Default::default() },
            adapter: "codex".to_owned(),
            provider: "scripted".to_owned(),
            ..Request::default()
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
            (|c| c.liveness = Liveness::Dead, Filter::Liveness, "n1: is not alive"),
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
