//! Something more important waits for room, and what is less important is ended for it.

use crate::world::{me, spec};
use ikigai_task::{
    Effect, Event, Input, Observation, Owner, Policy, Reason, Record, TaskSpec, TaskState, WaitReason, Wants,
};
use ikigai_types::{AttemptId, Commit, Disconnect, Fence, NodeId, TaskId, Timestamp, Usage, Writer};
use std::collections::VecDeque;
use std::time::Duration;

fn id(name: &str) -> TaskId {
    TaskId::new(format!("p.f.{name}")).unwrap()
}

fn named(name: &str, priority: i32) -> TaskSpec {
    let wants = Wants { priority, ..Wants::default() };
    TaskSpec { id: id(name), wants, ..spec(Disconnect::default()) }
}

/// An owner over one node that has one slot.
struct Slot {
    owner: Owner,
    now: Timestamp,
    log: Vec<Record>,
    stopped: Vec<Fence>,
    /// In which order placement was asked.
    asked: Vec<TaskId>,
}

impl Slot {
    fn new(specs: Vec<TaskSpec>) -> Self {
        let owner = Owner::new(me(), Policy::default());
        let now = Timestamp(1_000_000);
        let mut slot = Self { owner, now, log: Vec::new(), stopped: Vec::new(), asked: Vec::new() };
        slot.input(Input::Submit(specs, None));
        slot
    }

    fn input(&mut self, input: Input) {
        let (mut next, mut placing) = (Some(input), VecDeque::new());
        while let Some(input) = next {
            for effect in self.owner.handle(input, self.now) {
                match effect {
                    Effect::Record(record) => self.log.push(*record),
                    Effect::Stop { fence, .. } => self.stopped.push(fence),
                    Effect::Place(task) => placing.push_back(task),
                    _ => {}
                }
            }
            next = placing.pop_front().map(|task| Input::Observation(self.place(task)));
        }
    }

    fn place(&mut self, task: TaskId) -> Observation {
        self.asked.push(task.clone());
        let (node, rows) = (NodeId::from_bytes([2; 32]), Vec::new());
        let priority = self.owner.task(&task).unwrap().spec.wants.priority;
        let Some(holder) = self.owner.tasks().values().find(|t| t.active().is_some()) else {
            return Observation::Chosen { task, node, rows };
        };
        let text = "full".to_owned();
        match holder.may_yield(priority).filter(|_| self.owner.may_preempt(priority)) {
            Some(a) => Observation::MakeRoom { task, evict: vec![a.fence.attempt.clone()], text, rows },
            None => Observation::NoneFits { task, reason: WaitReason::Capacity, text, rows },
        }
    }

    fn fence(&self, name: &str) -> Fence {
        self.owner.task(&id(name)).unwrap().active().unwrap().fence.clone()
    }

    fn state(&self, name: &str) -> TaskState {
        self.owner.task(&id(name)).unwrap().state
    }

    fn why(&self, name: &str) -> String {
        let why = self.owner.why(&id(name), self.now, &|_| "n".to_owned()).unwrap();
        format!("{}: {}", why.cause, why.text)
    }

    fn ends_saved(&mut self, fence: &Fence) {
        self.input(Input::Observation(Observation::Ended {
            fence: fence.clone(),
            exit_code: None,
            reason: Some(Reason::Evicted),
            detail: "stopped".to_owned(),
            usage: Usage::default(),
            change: None,
            salvage: Some("refs/ikigai/salvage/x".to_owned()),
            saved: Some(Commit("s".to_owned())),
        }));
    }
}

const WAITS: TaskState = TaskState::Waiting(WaitReason::Capacity);

#[test]
fn what_is_more_important_gets_the_room_and_both_say_so() {
    let mut slot = Slot::new(vec![named("low", 0)]);
    let low = slot.fence("low");
    slot.input(Input::Submit(vec![named("high", 5)], None));
    assert_eq!((slot.stopped.as_slice(), slot.state("high")), (&[low.clone()][..], WAITS));
    assert_eq!(slot.why("low"), "preempted: is being ended on n to make room for high");

    slot.ends_saved(&low);
    assert!(slot.owner.task(&id("high")).unwrap().active().is_some(), "it goes before what was ended for it");
    slot.now = slot.now.after(Duration::from_secs(2));
    slot.input(Input::Wake);
    assert_eq!(slot.state("low"), WAITS, "what gave its room takes nothing back");
    assert_eq!(slot.why("low"), "capacity: made room for high (priority 5); full");
    let low = slot.owner.task(&id("low")).unwrap();
    assert_eq!(low.faults(ikigai_task::retry::Blame::Agent), 0, "nobody is blamed");
    assert_eq!(low.continues().map(|c| c.commit), None, "its base was never told");
    let again = Owner::replay(me(), Policy::default(), slot.log.clone());
    assert_eq!(again.task(&id("low")).unwrap().attempts, low.attempts);
}

#[test]
fn nobody_is_ended_for_an_equal_or_without_a_priority_above_zero() {
    for (holder, asks) in [(0, 0), (5, 5), (7, 5), (-9, 0), (-9, -1)] {
        let mut slot = Slot::new(vec![named("a", holder)]);
        slot.input(Input::Submit(vec![named("b", asks)], None));
        assert!(slot.stopped.is_empty(), "{holder} for {asks}");
        // Not even when placement says so.
        let evict = vec![AttemptId { task: id("a"), number: 1 }];
        let (text, rows) = (String::new(), Vec::new());
        slot.input(Input::Observation(Observation::MakeRoom { task: id("b"), evict, text, rows }));
        assert!(slot.stopped.is_empty() && slot.owner.task(&id("a")).unwrap().active().is_some());
    }
}

#[test]
fn what_a_person_types_in_and_what_is_checked_is_spared() {
    let mut slot = Slot::new(vec![named("low", 0)]);
    let low = slot.fence("low");
    let writer = Some(Writer::new("ann", me()));
    slot.input(Input::Observation(Observation::Typing { fence: low.clone(), writer }));
    slot.input(Input::Submit(vec![named("high", 5)], None));
    assert!(slot.stopped.is_empty(), "somebody types in it");
    slot.input(Input::Observation(Observation::Typing { fence: low.clone(), writer: None }));
    slot.input(Input::Observation(Observation::CapacityChanged));
    assert_eq!(slot.stopped, [low]);
    assert!(slot.log.iter().filter(|r| matches!(r.event, Event::Evicting { .. })).count() == 1);
}

#[test]
fn the_most_important_is_placed_first() {
    let mut slot = Slot::new(vec![named("a", -5), named("b", 0), named("c", 9)]);
    assert_eq!(slot.asked[..3], [id("c"), id("b"), id("a")]);
    let holder = slot.fence("c");
    slot.asked.clear();
    slot.ends_saved(&holder);
    assert_eq!(slot.asked[..2], [id("b"), id("a")], "c is in its back-off");
}
