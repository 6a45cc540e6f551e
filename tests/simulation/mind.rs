//! What must hold whatever happens, seen by one who sees all nodes, all disks and the true time.

use crate::desk::Fetches;
use crate::gossip::owner_of;
use crate::holder::{Stage, result_of};
use crate::world::{World, index};
use ikigai_task::{Effect, Event, Input, Moves, Observation, Owner, Reason, Record, Task, TaskState};
use ikigai_types::{Epoch, Fence, Lease, NodeId, TaskId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Mind {
    /// Tasks whose submitter was told that they are accepted.
    pub acknowledged: BTreeSet<TaskId>,
    /// The highest epoch that was ever on the disk of its owner.
    granted: BTreeMap<TaskId, Epoch>,
    /// Who was offered which epoch.
    offered: BTreeMap<(TaskId, Epoch), (Fence, NodeId)>,
    states: BTreeMap<TaskId, TaskState>,
    accepted: BTreeSet<TaskId>,
    /// Results whose objects are with their owners, and on their way there.
    pub fetched: BTreeSet<Fence>,
    pub fetches: Fetches,
}

/// A task before something came for it that must not change it.
pub struct Before {
    fence: Fence,
    task: Task,
}

/// The task that `input` must leave as it is, since it comes under a lease that is not good.
pub fn stale(owner: &Owner, input: &Input) -> Option<Before> {
    let Input::Observation(observation) = input else { return None };
    let (fence, result) = match observation {
        Observation::Heartbeat { fence }
        | Observation::Declined { fence, .. }
        | Observation::Started { fence, .. }
        | Observation::Denied { fence, .. }
        | Observation::Quota { fence, .. }
        | Observation::Ended { fence, .. } => (fence, false),
        Observation::PatchOpened { fence, .. }
        | Observation::Verified { fence, .. }
        | Observation::Acted { fence, .. } => (fence, true),
        _ => return None,
    };
    let task = owner.task(&fence.attempt.task)?;
    // One that went silent may come back, if its task says so.
    let good = task.away(fence).is_some() || if result { task.is_last(fence) } else { task.holds(fence) };
    (!good).then(|| Before { fence: fence.clone(), task: task.clone() })
}

impl World {
    /// After anything that happened to `node`.
    pub fn check(&mut self, node: usize) {
        let (used, total) = (self.nodes[node].used(), self.nodes[node].total);
        if let Some((what, want, have)) = total.lacks(&used) {
            self.fail(|| format!("n{node} runs {want} of {what}, and has {have}"));
        }
    }

    /// What came under a stale lease is refused, recorded with both epochs, and changes nothing.
    pub fn check_stale(&mut self, node: usize, before: &Before, effects: &[Effect]) {
        let Before { fence, task } = before;
        self.counts.add("stale");
        let after = self.nodes[node].live.as_ref().and_then(|l| l.driver.owner.task(&task.spec.id)).cloned();
        let same = after.is_some_and(|mut after| {
            after.updated_at = task.updated_at;
            &after == task
        });
        let recorded = effects.iter().any(|effect| match effect {
            Effect::Record(record) => matches!(&record.event, Event::StaleRefused { fence: f, current, .. }
                if f == fence && *current == task.good_epoch()),
            _ => false,
        });
        let nothing_else = effects.iter().all(|effect| match effect {
            Effect::Record(record) => matches!(record.event, Event::StaleRefused { .. }),
            other => matches!(other, Effect::Refuse(_)),
        });
        if !same || !nothing_else {
            self.fail(|| format!("{fence} is stale and changed its task"));
        } else if !recorded {
            self.fail(|| format!("{fence} is stale and its refusal is not recorded"));
        }
    }

    /// Whoever loses a lease because it ran out has stopped to count on it.
    pub fn check_expired(&mut self, node: usize, effects: &[Effect]) {
        for effect in effects {
            let Effect::Record(record) = effect else { continue };
            match &record.event {
                Event::Silent { fence, .. } => self.check_silent(node, fence, "leases waited for"),
                Event::Ended { fence, reason: Some(Reason::Lost), .. } => {
                    self.check_silent(node, fence, "leases lost");
                }
                _ => {}
            }
        }
    }

    fn check_silent(&mut self, node: usize, fence: &Fence, what: &'static str) {
        self.counts.add(what);
        let owner = self.nodes[node].live.as_ref().map(|l| &l.driver.owner);
        let task = owner.and_then(|o| o.task(&fence.attempt.task));
        let Some(attempt) = task.and_then(|t| t.attempts.iter().find(|a| &a.fence == fence)) else { return };
        let holder = index(attempt.node);
        let Some(live) = &self.nodes[holder].live else { return };
        let clock = live.clock(self.now);
        let counts = live.seats.get(fence).is_some_and(|s| {
            s.stage == Stage::Attending && s.stopped.is_none() && s.renewed && clock < s.lease_until
        });
        if counts {
            self.fail(|| format!("n{holder} counts on {fence}, which its owner took back"));
        }
    }

    /// An offer that leaves carries an epoch that is on the disk, and that nobody else was ever offered.
    pub fn check_offer(&mut self, node: usize, lease: &Lease) {
        let Lease { fence, node: to, .. } = lease;
        let task = fence.attempt.task.clone();
        let durable = self.nodes[node].disk.kept.epochs.get(&task).is_some_and(|e| *e >= fence.epoch);
        if !durable {
            self.fail(|| format!("{fence} is offered before it is on the disk"));
        }
        let offer = (fence.clone(), *to);
        let first = self.mind.offered.entry((task, fence.epoch)).or_insert_with(|| offer.clone());
        if *first != offer {
            self.fail(|| format!("epoch {} of {} is granted twice", fence.epoch, fence.attempt.task));
        }
    }

    /// A record reached the disk of its owner.
    pub fn note_record(&mut self, record: &Record) {
        let Record { task, event, state, .. } = record;
        let from = self.mind.states.insert(task.clone(), *state).unwrap_or(TaskState::Queued);
        if !Moves::allows(from, *state) {
            self.fail(|| format!("{task} goes from {from} to {state}"));
        }
        match event {
            Event::Granted { lease, .. } => {
                self.counts.add("granted");
                let last = self.mind.granted.insert(task.clone(), lease.fence.epoch);
                if last.is_some_and(|last| last >= lease.fence.epoch) {
                    self.fail(|| format!("the epoch of {task} did not grow: {}", lease.fence.epoch));
                }
            }
            Event::Ended { fence, change: Some(change), .. } if *change != result_of(fence) => {
                self.fail(|| format!("{} is taken for the result of {fence}", change.head.0));
            }
            Event::Merged { fence, .. } => {
                self.counts.add("accepted");
                let other = self.forge.merged.get(task) != Some(fence);
                if other || !self.mind.accepted.insert(task.clone()) {
                    self.fail(|| format!("{fence} is accepted, and another attempt is"));
                }
            }
            Event::StaleRefused { .. } => self.counts.add("stale refusals recorded"),
            _ => {}
        }
    }

    /// Whoever is merged was taken by a decision that is on its owner's disk.
    pub fn check_merge(&mut self, node: usize, fence: &Fence) {
        if self.nodes[node].disk.kept.decided.get(&fence.attempt.task) != Some(fence) {
            self.fail(|| format!("{fence} is merged, and nobody decided that"));
        }
    }

    /// A holder is told that it is stale once that is in the owner's log.
    pub fn check_recorded(&mut self, node: usize, fence: &Fence, current: Epoch) {
        let kept = self.nodes[node].disk.kept.refusals.get(fence);
        if !kept.is_some_and(|epochs| epochs.contains(&current)) {
            self.fail(|| format!("{fence} was refused for {current}, and that is not in the log"));
        }
    }

    /// Lines are kept only under the last lease, or one that may become it again, and are what was printed
    /// under it.
    pub fn check_lines(&mut self, node: usize, fence: &Fence, lines: &[(u64, Fence)]) {
        let owner = self.nodes[node].live.as_ref().map(|l| &l.driver.owner);
        let task = owner.and_then(|o| o.task(&fence.attempt.task));
        let good = task.is_some_and(|t| t.is_last(fence) || t.away(fence).is_some());
        if !lines.is_empty() && !good {
            self.fail(|| format!("lines of {fence} are kept, and another lease is good"));
        }
        if let Some((n, other)) = lines.iter().find(|(_, truth)| truth != fence) {
            self.fail(|| format!("line {n} of {other} is kept as one of {fence}"));
        }
    }

    /// After a restart everything that was acknowledged is there, and no epoch is lower than before.
    pub fn check_replay(&mut self, node: usize) {
        let Some(live) = &self.nodes[node].live else { return };
        let owner = &live.driver.owner;
        let mine = |task: &&TaskId| owner_of(task) == node;
        let lost = self.mind.acknowledged.iter().filter(mine).find(|t| owner.task(t).is_none()).cloned();
        let epoch = |task: &TaskId| owner.task(task).map_or(Epoch::default(), |t| t.epoch);
        let lower = self.mind.granted.iter().filter(|(t, _)| mine(t)).find(|(t, e)| epoch(t) < **e);
        let lower = lower.map(|(task, _)| task.clone());
        if let Some(task) = lost {
            self.fail(|| format!("{task} was acknowledged and is lost"));
        }
        if let Some(task) = lower {
            self.fail(|| format!("the epoch of {task} is lower after a restart"));
        }
    }

    /// These tasks went back in time: that alone is not what is looked for.
    pub fn mind_forget(&mut self, tasks: &BTreeSet<TaskId>) {
        for task in tasks {
            self.mind.states.remove(task);
        }
    }
}
