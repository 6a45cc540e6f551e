//! Many tasks that wait for room.

use crate::world::{me, spec};
use ikigai_task::{Effect, Input, Observation, Owner, Policy, Record, TaskState, WaitReason};
use ikigai_types::{Disconnect, NodeId, TaskId, Timestamp};
use std::time::Duration;

const TASKS: u32 = 100;

/// An owner whose placement has room for as many tasks as `room` says.
struct Crowd {
    owner: Owner,
    now: Timestamp,
    room: u32,
    lacks: &'static str,
}

impl Crowd {
    fn new(room: u32) -> Self {
        let (owner, now) = (Owner::new(me(), Policy::default()), Timestamp(1_000_000));
        Self { owner, now, room, lacks: "full" }
    }

    /// What was written down for `input` and for all placements that it asked for.
    fn input(&mut self, input: Input) -> Vec<Record> {
        let (mut records, mut inputs) = (Vec::new(), vec![input]);
        while let Some(input) = inputs.pop() {
            for effect in self.owner.handle(input, self.now) {
                match effect {
                    Effect::Record(record) => records.push(*record),
                    Effect::Place(task) => inputs.push(Input::Observation(self.place(task))),
                    _ => {}
                }
            }
        }
        records
    }

    fn place(&mut self, task: TaskId) -> Observation {
        let rows = Vec::new();
        if self.room > 0 {
            self.room -= 1;
            return Observation::Chosen { task, node: NodeId::from_bytes([2; 32]), rows };
        }
        Observation::NoneFits { task, reason: WaitReason::Capacity, text: self.lacks.to_owned(), rows }
    }

    fn submit(&mut self) -> Vec<Record> {
        let id = |n| TaskId::new(format!("p.f.T{n:03}")).unwrap();
        let specs = (0..TASKS).map(|n| ikigai_task::TaskSpec { id: id(n), ..spec(Disconnect::default()) });
        self.input(Input::Submit(specs.collect(), None))
    }

    fn waiting(&self) -> usize {
        let waits = |t: &&ikigai_task::Task| t.state == TaskState::Waiting(WaitReason::Capacity);
        self.owner.tasks().values().filter(waits).count()
    }
}

#[test]
fn room_for_one_writes_of_one() {
    let mut crowd = Crowd::new(0);
    crowd.submit();
    assert_eq!(crowd.waiting(), 100);
    assert_eq!(crowd.input(Input::Observation(Observation::CapacityChanged)), []);
    crowd.room = 1;
    let records = crowd.input(Input::Observation(Observation::CapacityChanged));
    assert_eq!(records.len(), 3, "queued, placing, granted: {records:?}");
    assert_eq!(crowd.waiting(), 99);
}

#[test]
fn the_clock_asks_again_and_tells_only_what_changed() {
    let mut crowd = Crowd::new(0);
    crowd.submit();
    let wait = Policy::default().look_again;
    for (lacks, told) in [("full", 0), ("gone", 100), ("gone", 0)] {
        crowd.lacks = lacks;
        crowd.now = crowd.owner.next_wake().expect("someone waits");
        assert_eq!(crowd.input(Input::Wake).len(), told, "{lacks}");
        assert_eq!(crowd.owner.next_wake(), Some(crowd.now.after(wait)), "the clock does not spin");
    }
    crowd.now = crowd.now.after(Duration::from_secs(1));
    crowd.lacks = "another word, too early";
    assert_eq!(crowd.input(Input::Observation(Observation::CapacityChanged)), []);
}
