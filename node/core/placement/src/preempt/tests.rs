//! What is proposed makes room, costs no more than it must, and leaves reserves alone.

use super::*;
use ikigai_types::{ClassShare, TaskId};
use proptest::prelude::*;

fn held(i: usize, class: WorkloadClass, priority: i32, cpu: u64, slots: u64, secs: u64) -> Held {
    let task = TaskId::new(format!("p.f.T{i:03}")).unwrap();
    Held {
        attempt: AttemptId { task, number: 1 },
        class,
        priority,
        resources: Resources { cpu_millis: cpu, slots, ..Default::default() },
        running: Duration::from_secs(secs),
    }
}

fn node(i: u8, cpu: u64, slots: u64, reserve: u64, held: Vec<Held>) -> Occupied {
    let allocatable = Resources { cpu_millis: cpu, slots, ..Default::default() };
    let mut candidate =
        Candidate { allocatable, ..Candidate::new(NodeId::from_bytes([i; 32]), format!("n{i}")) };
    candidate.adapters = vec!["codex".to_owned()];
    let share = ClassShare { reserve, ..Default::default() };
    candidate.classes.shares.insert(WorkloadClass::Agent, share);
    let taken = held.iter().fold(Resources::default(), |sum, h| sum.plus(&h.resources));
    held.iter().for_each(|h| candidate.classes.take(h.class, h.resources.slots));
    candidate.free = allocatable.minus(&taken);
    Occupied { candidate, held }
}

fn request(class: WorkloadClass, priority: i32, cpu: u64) -> Request {
    let resources = Resources { cpu_millis: cpu, slots: 1, ..Default::default() };
    Request { resources, class, priority, adapter: "codex".to_owned(), ..Default::default() }
}

use WorkloadClass::{Agent, Ci};

#[test]
fn the_least_important_go_and_the_reason_names_them() {
    let full = node(
        1,
        4000,
        4,
        0,
        vec![held(1, Agent, 5, 2000, 1, 9), held(2, Agent, 1, 1000, 1, 50), held(3, Agent, 1, 1000, 1, 3)],
    );
    let fuller = node(2, 4000, 4, 0, vec![held(4, Agent, 3, 4000, 1, 1)]);
    let p = preempt(&request(Agent, 10, 1000), &[fuller.clone(), full.clone()]).unwrap();
    let text = "n1: makes room for priority 10 by ending p.f.T003/1 (priority 1, ran 3 s)";
    assert_eq!((p.node, p.reason.as_str()), (full.candidate.id, text));
    assert_eq!(preempt(&request(Agent, 1, 1000), &[full.clone(), fuller.clone()]), None);
    let free = node(3, 4000, 4, 0, vec![]);
    assert_eq!(preempt(&request(Agent, 10, 1000), &[full, fuller, free]), None);
}

#[test]
fn a_reserve_is_not_taken_by_a_higher_priority() {
    let held = vec![held(1, Agent, 0, 1000, 1, 1), held(2, Ci, 5, 1000, 1, 1)];
    let full = node(1, 2000, 2, 1, held);
    let p = preempt(&request(Ci, 10, 1000), std::slice::from_ref(&full)).unwrap();
    assert_eq!(p.evict[0].task.short(), "T002");
    assert_eq!(preempt(&request(Ci, 3, 1000), std::slice::from_ref(&full)), None);
    assert_eq!(preempt(&request(Agent, 3, 1000), &[full]).unwrap().evict[0].task.short(), "T001");
}

#[test]
fn a_closed_node_is_not_emptied() {
    let mut full = node(1, 1000, 1, 0, vec![held(1, Agent, 0, 1000, 1, 1)]);
    assert!(preempt(&request(Agent, 1, 1000), std::slice::from_ref(&full)).is_some());
    assert_eq!(preempt(&request(Agent, 1, 2000), std::slice::from_ref(&full)), None, "too small for ever");
    full.candidate.cordoned = true;
    assert_eq!(preempt(&request(Agent, 1, 1000), &[full]), None);
}

/// Whether ending the leases of `mask` is allowed and makes room.
fn works(request: &Request, n: &Occupied, mask: u32) -> bool {
    let chosen: Vec<_> = (0..n.held.len()).filter(|i| mask & (1 << i) != 0).map(|i| &n.held[i]).collect();
    let reserve = n.candidate.classes.shares[&Agent].reserve;
    let agents: u64 = chosen.iter().filter(|h| h.class == Agent).map(|h| h.resources.slots).sum();
    let robbed = request.class != Agent && agents > 0 && n.candidate.classes.used(Agent) - agents < reserve;
    chosen.iter().all(|h| h.priority < request.priority) && !robbed && fits_without(request, n, &chosen)
}

proptest! {
    #[test]
    fn nothing_is_ended_that_could_be_spared(
        leases in proptest::collection::vec((any::<bool>(), 0_i32..4, 1_u64..4, 0_u64..9), 0..9),
        (ci, priority, cpu) in (any::<bool>(), 0_i32..5, 1_u64..8),
        (room, reserve) in (0_u64..3, 0_u64..4),
    ) {
        let held: Vec<_> = leases.iter().enumerate().map(|(i, (ci, p, cpu, secs))| {
            held(i, if *ci { Ci } else { Agent }, *p, *cpu, 1, *secs)
        }).collect();
        let taken: u64 = held.iter().map(|h| h.resources.cpu_millis).sum();
        let n = node(1, taken + room, held.len() as u64 + room, reserve, held);
        let request = request(if ci { Ci } else { Agent }, priority, cpu);
        let all = 1_u32 << n.held.len();
        let possible: Vec<_> = (0..all).filter(|m| works(&request, &n, *m)).collect();
        let found = preempt(&request, std::slice::from_ref(&n));
        if full(&request, &n.candidate).is_none() || lasting(&request, &n.candidate).is_some() {
            prop_assert_eq!(found, None);
            return Ok(());
        }
        prop_assert_eq!(found.is_some(), !possible.is_empty());
        let Some(found) = found else { return Ok(()) };
        let mask = (0..n.held.len()).filter(|i| found.evict.contains(&n.held[*i].attempt)).fold(0, |m, i| m | 1 << i);
        prop_assert!(works(&request, &n, mask));
        // No part of it would do, and no other choice has a lower highest priority.
        prop_assert!(possible.iter().all(|m| *m == mask || m & mask != *m), "{:b} of {:?}", mask, possible);
        let top = |m: u32| (0..n.held.len()).filter(|i| m & (1 << i) != 0).map(|i| n.held[i].priority).max();
        prop_assert_eq!(top(mask), possible.iter().map(|m| top(*m)).min().unwrap());
    }
}
