//! Which leases would have to end so that something more important fits. Proposes; ends nothing.

use crate::crowd::{Crowd, crowds};
use crate::filter::{closed, full, lasting};
use crate::{Candidate, Request};
use ikigai_types::{AttemptId, NodeId, Resources, WorkloadClass};
use std::cmp::Reverse;
use std::time::Duration;

/// A lease a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its attempt.
    pub attempt: AttemptId,
    /// Kind of work.
    pub class: WorkloadClass,
    /// Its priority: only a higher one has it ended.
    pub priority: i32,
    /// What it takes.
    pub resources: Resources,
    /// For how long it has run: what is lost when it ends.
    pub running: Duration,
}

/// A node and the leases it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupied {
    /// The node.
    pub candidate: Candidate,
    /// Its leases.
    pub held: Vec<Held>,
}

/// What would make room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preemption {
    /// The node.
    pub node: NodeId,
    /// The leases to end, the least important first.
    pub evict: Vec<AttemptId>,
    /// In a sentence.
    pub reason: String,
}

/// The leases to end on one node so that `request` fits there; `None` when it fits somewhere already, or when
/// ending leases of lower priority does not help.
///
/// On a node no lease is ended that could be spared, and the more important ones and those that ran longest are
/// spared first. What a class has reserved is never taken from it by another. Of nodes that one is proposed whose
/// highest ended priority is lowest, then where the fewest end, then where the least running time is lost.
pub fn preempt(request: &Request, nodes: &[Occupied]) -> Option<Preemption> {
    let find = |id: &NodeId| nodes.iter().map(|n| &n.candidate).find(|c| c.id == *id);
    let crowds = crowds(request, find);
    let open: Vec<_> = nodes.iter().filter(|n| is_open(request, &n.candidate, &crowds)).collect();
    if open.iter().any(|n| full(request, &n.candidate).is_none()) {
        return None;
    }
    let plans = open.iter().filter_map(|n| Some((*n, victims(request, n)?)));
    let (node, victims) = plans.min_by_key(|(n, victims)| (cost(victims), n.candidate.id))?;
    Some(Preemption {
        node: node.candidate.id,
        evict: victims.iter().map(|v| v.attempt.clone()).collect(),
        reason: reason(request, &node.candidate, &victims),
    })
}

fn is_open(request: &Request, c: &Candidate, crowds: &[Crowd<'_>]) -> bool {
    lasting(request, c).is_none() && closed(request, c, crowds).is_none()
}

/// What ending `victims` costs; less is better.
fn cost(victims: &[&Held]) -> (Option<i32>, usize, Duration) {
    let lost = victims.iter().fold(Duration::ZERO, |sum, v| sum.saturating_add(v.running));
    (victims.iter().map(|v| v.priority).max(), victims.len(), lost)
}

/// The least important leases whose end makes room, the least important first.
fn victims<'a>(request: &Request, node: &'a Occupied) -> Option<Vec<&'a Held>> {
    let mut lower: Vec<_> = node.held.iter().filter(|h| h.priority < request.priority).collect();
    lower.sort_by_key(|h| (h.priority, h.running, Reverse(&h.attempt)));
    let mut tops: Vec<_> = lower.iter().map(|h| h.priority).collect();
    tops.dedup();
    let enough = |top: i32| {
        let below: Vec<_> = lower.iter().copied().filter(|h| h.priority <= top).collect();
        // Where a reserve lets only some of a class go, the biggest may help when the least important do not.
        let mut biggest = below.clone();
        biggest.sort_by_key(|h| Reverse((h.resources.cpu_millis, h.resources.memory_bytes)));
        let sets = [below, biggest].map(|order| without_reserves(request, node, order));
        sets.into_iter().find(|set| fits_without(request, node, set))
    };
    let mut victims = tops.into_iter().find_map(enough)?;
    victims.sort_by_key(|h| (h.priority, h.running, Reverse(&h.attempt)));
    // Spares the most important first: each in turn, if what is left to end is still enough.
    for i in (0..victims.len()).rev() {
        let spared = victims.remove(i);
        if !fits_without(request, node, &victims) {
            victims.insert(i, spared);
        }
    }
    Some(victims)
}

/// Those of `leases` that may end for `request`, taken in their order: a class keeps what is reserved for it.
fn without_reserves<'a>(request: &Request, node: &Occupied, leases: Vec<&'a Held>) -> Vec<&'a Held> {
    let mut classes = node.candidate.classes.clone();
    let mut may_end = |h: &&Held| {
        let reserve = classes.shares.get(&h.class).map_or(0, |s| s.reserve);
        let own = h.class == request.class;
        let may = own || reserve == 0 || classes.used(h.class) >= reserve.saturating_add(h.resources.slots);
        if may {
            classes.give_back(h.class, h.resources.slots);
        }
        may
    };
    leases.into_iter().filter(|h| may_end(h)).collect()
}

fn fits_without(request: &Request, node: &Occupied, victims: &[&Held]) -> bool {
    let mut c = node.candidate.clone();
    for v in victims {
        c.free = c.free.plus(&v.resources);
        c.classes.give_back(v.class, v.resources.slots);
    }
    full(request, &c).is_none()
}

fn reason(request: &Request, c: &Candidate, victims: &[&Held]) -> String {
    let each: Vec<_> = victims
        .iter()
        .map(|v| format!("{} (priority {}, ran {} s)", v.attempt, v.priority, v.running.as_secs()))
        .collect();
    format!("{}: makes room for priority {} by ending {}", c.name, request.priority, each.join(", "))
}

#[cfg(test)]
mod tests;
