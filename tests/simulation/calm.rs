//! Liveness: once nothing goes wrong any more, every task ends in bounded time.
//!
//! The time of a task runs from the healing on while the mesh owes it something. It stands still while the task
//! waits for a person (review, pause, a task that gave up), for another task, for a provider's quota, or for a
//! silent holder as long as its own `lost_after` says; while its own agent runs; and while it waits for room that every machine of the mesh really lacks, because agents
//! whose leases are good run there. No task may be owed more than three lease lengths.

use crate::gossip::owner_of;
use crate::holder::Stage;
use crate::world::{LEASE, World, index};
use ikigai_task::{Task, TaskState, WaitReason};
use ikigai_types::{Fence, Resources, TaskId};
use std::collections::BTreeMap;

/// How often it is looked who waits for what.
const LOOK: u64 = 100;
/// What a task may be owed.
const BOUND: u64 = 3 * LEASE;
/// No run takes longer than this.
const LIMIT: u64 = 1_800_000;

impl World {
    /// Lets all tasks end.
    pub fn until_settled(&mut self) {
        let (end, mut owed) = (self.now + LIMIT, BTreeMap::<TaskId, u64>::new());
        while self.broken.is_none() {
            let open = self.open_tasks();
            if open.is_empty() {
                break;
            }
            for (id, _) in open.into_iter().filter(|(_, owes)| *owes) {
                let sum = owed.entry(id.clone()).or_default();
                *sum += LOOK;
                if *sum > BOUND {
                    let state = self.describe(&id);
                    self.fail(|| format!("{id} did not end within three leases of the healing: {state}"));
                }
            }
            if self.now > end {
                let open =
                    self.open_tasks().into_iter().map(|(id, _)| format!("{id} {}", self.describe(&id)));
                let open: Vec<_> = open.collect();
                self.fail(|| format!("the tasks do not end: {}", open.join("; ")));
            }
            self.run(LOOK);
        }
        self.counts.add("runs that ended well");
        self.nothing_is_left();
    }

    /// Tasks that have not ended, and whether the mesh owes them something.
    fn open_tasks(&self) -> Vec<(TaskId, bool)> {
        let owners = self.nodes.iter().filter_map(|n| n.live.as_ref()).map(|l| &l.driver.owner);
        let tasks = owners.flat_map(|o| o.tasks().values());
        tasks.filter(|t| !ended(t)).map(|t| (t.spec.id.clone(), self.owes(t))).collect()
    }

    fn owes(&self, task: &Task) -> bool {
        match task.state {
            TaskState::Review => task.accepted.is_some(),
            TaskState::Accepted => true,
            TaskState::Paused | TaskState::Failed(_) | TaskState::Lost | TaskState::Rejected => false,
            TaskState::Waiting(WaitReason::Dependency | WaitReason::Quota) => false,
            TaskState::Waiting(_) => self.has_room(&task.spec.request),
            // Its own options have it wait for a holder that went silent.
            _ if task.active().is_some_and(|a| a.silent.is_some()) => false,
            _ => !task.active().is_some_and(|a| self.runs(index(a.node), &a.fence)),
        }
    }

    fn runs(&self, node: usize, fence: &Fence) -> bool {
        let container = self.nodes[node].containers.get(fence);
        container.is_some_and(|c| c.exit.is_none() && c.held.is_none())
    }

    /// Whether some machine has room beside the attempts whose leases are good.
    fn has_room(&self, request: &Resources) -> bool {
        self.nodes.iter().any(|node| {
            let seats = node.live.iter().flat_map(|l| &l.seats);
            let good = seats.filter(|(fence, _)| self.is_good(fence));
            let taken = good.fold(Resources::default(), |sum, (_, s)| sum.plus(&s.request));
            node.total.minus(&taken).covers(request)
        })
    }

    fn is_good(&self, fence: &Fence) -> bool {
        let owner = self.nodes[owner_of(&fence.attempt.task)].live.as_ref().map(|l| &l.driver.owner);
        owner.and_then(|o| o.task(&fence.attempt.task)).is_some_and(|t| t.holds(fence))
    }

    fn describe(&self, id: &TaskId) -> String {
        let owner = self.nodes[owner_of(id)].live.as_ref().map(|l| &l.driver.owner);
        let Some(task) = owner.and_then(|o| o.task(id)) else { return "nobody knows it".to_owned() };
        let seat = task.active().map(|a| {
            let node = &self.nodes[index(a.node)];
            let stage: Option<Stage> =
                node.live.as_ref().and_then(|l| l.seats.get(&a.fence)).map(|s| s.stage);
            format!("{} on n{}, {stage:?}, {:?}", a.fence, index(a.node), node.containers.get(&a.fence))
        });
        let clock = self.clock(owner_of(id));
        format!("{}, not before {:?}, now {clock:?}, {seat:?}", task.state, task.not_before)
    }

    /// When all tasks have ended, nobody runs or holds anything for them.
    fn nothing_is_left(&mut self) {
        if self.broken.is_some() {
            return;
        }
        self.run(BOUND);
        for node in 0..self.nodes.len() {
            let seats = self.nodes[node].live.as_ref().map_or(0, |l| l.seats.len());
            let containers = self.nodes[node].containers.len();
            if seats + containers > 0 {
                self.fail(|| format!("n{node} still has {seats} attempts and {containers} containers"));
            }
        }
        let lost = self.mind.acknowledged.iter().find(|t| !self.is_known(t)).cloned();
        if let Some(task) = lost {
            self.fail(|| format!("{task} was acknowledged and is lost"));
        }
    }

    fn is_known(&self, id: &TaskId) -> bool {
        let owner = self.nodes[owner_of(id)].live.as_ref().map(|l| &l.driver.owner);
        owner.is_some_and(|o| o.task(id).is_some())
    }
}

fn ended(task: &Task) -> bool {
    match task.state {
        TaskState::Accepted => task.ticked,
        state => state == TaskState::Cancelled,
    }
}
