//! The one place where a task changes: events, taken in one after the other.

use super::Task;
use crate::attempt::{Attempt, Phase, Silent, Verification};
use crate::event::Event;
use crate::retry::Reason;
use crate::state::{TaskState, WaitReason};
use ikigai_types::{
    Commit, Epoch, Fence, Lease, NodeId, PlacementRow, TaskId, Timestamp, Verdict, WorkloadId,
};

impl Task {
    /// Takes in an event. The one place where a task changes.
    pub(crate) fn apply(&mut self, event: &Event, at: Timestamp) {
        self.updated_at = at;
        match event {
            Event::Submitted { .. } | Event::StaleRefused { .. } => {}
            Event::Denied { fence, what } => {
                if let Some(a) = self.attempt_mut(fence) {
                    a.denied.times = a.denied.times.saturating_add(1);
                    a.denied.last.clone_from(what);
                }
            }
            Event::Used { fence, usage } => {
                if let Some(a) = self.attempt_mut(fence) {
                    a.usage = a.usage.later(*usage);
                    a.used = Some((at, *usage));
                }
            }
            Event::Session { fence, how } => {
                self.attempt_mut(fence).into_iter().for_each(|a| a.resumed = Some(*how));
            }
            Event::Waits { reason, text, rows, until } => {
                self.go(TaskState::Waiting(*reason));
                self.wait_text.clone_from(text);
                self.rows.clone_from(rows);
                self.not_before = *until;
            }
            Event::Queued => self.go(TaskState::Queued),
            Event::Placing => self.go(TaskState::Placing),
            Event::Granted { lease, rows, continues } => {
                self.granted(lease, rows);
                self.attempts.push(Attempt::new(lease, rows, continues.clone(), at));
                self.go(TaskState::Preparing);
            }
            Event::Declined { fence, text } => {
                self.attempts.retain(|a| &a.fence != fence);
                self.expires = None;
                self.wait_text.clone_from(text);
                self.go(TaskState::Queued);
            }
            Event::Started { workload, base, isolation_missing, .. } => {
                self.started(workload, base, isolation_missing, at);
            }
            Event::Evicting { fence, grace, room_for } => {
                if let Some(a) = self.attempt_mut(fence) {
                    (a.leaving, a.room_for) = (Some(*grace), room_for.clone());
                }
            }
            Event::TakenOver { fence, writer, .. } => {
                self.attempt_mut(fence).into_iter().for_each(|a| a.writer = Some(writer.clone()));
            }
            Event::HandedBack { fence, .. } => {
                self.attempt_mut(fence).into_iter().for_each(|a| a.writer = None);
            }
            Event::Silent { fence, until, replaced } => self.silent(fence, *until, *replaced),
            Event::Returned { fence } => self.returned(fence),
            Event::Ended { fence, .. } => self.ended(fence, event, at),
            Event::BackOff { until, .. } => {
                self.not_before = Some(*until);
                self.goes_on_in(TaskState::Queued);
            }
            Event::Failed { reason: Reason::Lost } => self.settle(TaskState::Lost),
            Event::Failed { reason } => self.settle(TaskState::Failed(*reason)),
            Event::Cancelled => self.settle(TaskState::Cancelled),
            Event::Adopted { owner, epoch, here, done } => self.adopted(*owner, *epoch, here, done, at),
            Event::Ceded { .. } => {}
            Event::Paused => {
                self.hold();
                self.go(TaskState::Paused);
            }
            Event::QuotaHeld { until, .. } => {
                self.hold();
                self.not_before = Some(*until);
                self.wait_text = "the provider's quota is used up".to_owned();
                self.go(TaskState::Waiting(WaitReason::Quota));
            }
            Event::Resumed => {
                let to = self.held_in.take().unwrap_or(TaskState::Queued);
                self.not_before = None;
                self.go(to);
            }
            Event::Retried => {
                if self.state != TaskState::Rejected {
                    (self.noted, self.notes_held) = (0, false);
                }
                self.blamed_from = self.attempts.len();
                self.not_before = None;
                self.archived = false;
                self.go(TaskState::Queued);
            }
            review => self.reviewed(review),
        }
    }

    fn granted(&mut self, lease: &Lease, rows: &[PlacementRow]) {
        self.epoch = lease.fence.epoch;
        self.numbered = self.numbered.max(lease.fence.attempt.number);
        self.expires = Some(lease.expires);
        self.not_before = None;
        self.rows = rows.to_vec();
    }

    fn hold(&mut self) {
        // A pause takes the place of a quota that is waited for: an agent that is let go on finds out again.
        if self.state != TaskState::Waiting(WaitReason::Quota) {
            self.held_in = Some(self.state);
        }
        if let Some(a) = self.attempts.last_mut().filter(|a| a.phase != Phase::Ended) {
            a.held = true;
        }
    }

    fn started(&mut self, workload: &WorkloadId, base: &Commit, missing: &[String], at: Timestamp) {
        if let Some(a) = self.attempts.last_mut() {
            a.phase = Phase::Running;
            a.workload = Some(workload.clone());
            a.base = Some(base.clone());
            a.isolation_missing = missing.to_vec();
            a.running_at.get_or_insert(at);
        }
        self.goes_on_in(TaskState::Running);
    }

    /// Another node owns it from here on. What its attempts made counts as far as it is there.
    fn adopted(&mut self, owner: NodeId, epoch: Epoch, here: &[Commit], done: &[TaskId], at: Timestamp) {
        self.adopted_from = Some(std::mem::replace(&mut self.spec.owner, owner));
        self.spec.depends_on.retain(|d| !done.contains(d));
        self.epoch = epoch;
        self.chore_tries = 0;
        (self.expires, self.not_before, self.held_in) = (None, None, None);
        for a in &mut self.attempts {
            if a.phase != Phase::Ended || a.reason.is_none() {
                a.phase = Phase::Ended;
                a.silent = None;
                a.reason = Some(Reason::Lost);
                a.detail = "its owner went away".to_owned();
                a.ended_at.get_or_insert(at);
                a.saved = a.change.as_ref().map(|c| c.head.clone());
            }
            a.saved = a.saved.take().filter(|s| here.contains(s));
        }
        self.blamed_from = self.attempts.len();
        if !self.state.is_settled() && self.state != TaskState::Queued {
            self.goes_on_in(TaskState::Queued);
        }
    }

    /// A person's pause outlives what happens to the attempt it met.
    fn goes_on_in(&mut self, state: TaskState) {
        if self.state == TaskState::Paused {
            self.held_in = Some(state);
        } else {
            self.go(state);
        }
    }

    fn attempt_mut(&mut self, fence: &Fence) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|a| &a.fence == fence)
    }

    fn silent(&mut self, fence: &Fence, until: Timestamp, replaced: bool) {
        let held = matches!(self.state, TaskState::Paused | TaskState::Waiting(_));
        if let Some(a) = self.attempt_mut(fence) {
            a.silent = Some(Silent { until, was: a.phase, held });
            if replaced {
                a.phase = Phase::Away;
            }
        }
        self.expires = (!replaced).then_some(until);
    }

    fn returned(&mut self, fence: &Fence) {
        let Some(i) = self.attempts.iter().position(|a| &a.fence == fence) else { return };
        let mut a = self.attempts.remove(i);
        let silent = a.silent.take();
        let was_away = a.phase == Phase::Away;
        if let Some(silent) = silent {
            a.phase = silent.was;
        }
        let state = if a.phase == Phase::Running { TaskState::Running } else { TaskState::Preparing };
        self.attempts.push(a);
        if was_away {
            self.not_before = None;
            self.goes_on_in(state);
        }
    }

    fn ended(&mut self, fence: &Fence, event: &Event, at: Timestamp) {
        let Event::Ended { exit_code, reason, detail, usage, change, salvage, saved, .. } = event else {
            return;
        };
        let present = self.holds(fence);
        if let Some(a) = self.attempt_mut(fence) {
            a.phase = Phase::Ended;
            a.silent = None;
            a.writer = None;
            a.exit_code = *exit_code;
            a.reason = *reason;
            a.detail.clone_from(detail);
            a.usage = a.usage.later(*usage);
            a.used = Some((at, a.usage));
            a.change.clone_from(change);
            a.salvage.clone_from(salvage);
            a.saved.clone_from(saved);
            a.ended_at = Some(at);
        }
        // The end of one that was replaced leaves the task where it is.
        if present {
            self.expires = None;
            self.held_in = None;
            self.chore_tries = 0;
            if reason.is_none() {
                self.go(TaskState::Verifying);
            }
        }
    }

    fn reviewed(&mut self, event: &Event) {
        if let Event::ChoreFailed { text, until, .. } = event {
            self.chore_tries += 1;
            self.not_before = Some(*until);
            self.wait_text.clone_from(text);
            return;
        }
        self.chore_tries = 0;
        self.not_before = None;
        match event {
            Event::PatchOpened { patch, revision, .. } => {
                if let Some(a) = self.attempts.last_mut() {
                    (a.patch, a.revision) = (Some(patch.clone()), *revision);
                }
            }
            Event::Archived => self.archived = true,
            Event::Verified { verdict, node, checks, gaps, .. } => {
                let (verdict, node) = (*verdict, *node);
                if let Some(a) = self.attempts.last_mut() {
                    a.verified =
                        Some(Verification { verdict, node, checks: checks.clone(), gaps: gaps.clone() });
                    if verdict == Verdict::Not {
                        a.reason = Some(Reason::CheckFailed);
                        a.detail = gaps.join(", ");
                    }
                }
                if verdict != Verdict::Not {
                    self.go(TaskState::Review);
                }
            }
            Event::Landed { fence } => {
                self.present_again(fence);
                self.accepted = Some(fence.clone());
                (self.expires, self.held_in) = (None, None);
                self.go(TaskState::Review);
            }
            Event::Unchanged { fence, stands } => {
                if let Some(a) = self.attempt_mut(fence) {
                    a.reason = Some(Reason::NoChange);
                    a.detail = "the agent changed nothing of what was reviewed".to_owned();
                }
                if let Some(stands) = stands {
                    self.present_again(stands);
                    // Nobody is to blame for a note that asked for nothing.
                    self.blamed_from = self.attempts.len().saturating_sub(1);
                    self.go(TaskState::Review);
                }
            }
            Event::NotesHeld { .. } => self.notes_held = true,
            Event::AcceptDecided { fence } => {
                self.accepted = Some(fence.clone());
                self.go(TaskState::Review);
            }
            Event::MergeRefused { text, .. } => {
                (self.accepted, self.archived) = (None, false);
                if let Some(a) = self.attempts.last_mut() {
                    a.reason = Some(Reason::Conflict);
                    a.detail.clone_from(text);
                }
            }
            Event::Merged { commit, .. } => {
                if let Some(a) = self.attempts.last_mut() {
                    a.merged = Some(commit.clone());
                }
                self.go(TaskState::Accepted);
            }
            Event::Ticked => self.ticked = true,
            Event::Rejected { text, notes } => {
                self.rejected = Some(text.clone());
                self.noted = if notes.is_empty() { 0 } else { self.noted.saturating_add(1) };
                self.notes_held &= !notes.is_empty();
                self.heard.extend(notes.iter().cloned());
                self.go(TaskState::Rejected);
            }
            _ => {}
        }
    }

    /// What the attempt of `fence` made is the task's result, whatever came after it.
    fn present_again(&mut self, fence: &Fence) {
        let Some(i) = self.attempts.iter().position(|a| &a.fence == fence) else { return };
        let mut a = self.attempts.remove(i);
        self.blamed_from -= usize::from(i < self.blamed_from);
        (a.reason, a.detail) = (None, String::new());
        self.attempts.push(a);
    }

    /// Nothing is waited for any more, nor is what did not work before.
    fn settle(&mut self, to: TaskState) {
        (self.not_before, self.chore_tries) = (None, 0);
        self.go(to);
    }

    fn go(&mut self, to: TaskState) {
        debug_assert!(crate::state::Moves::allows(self.state, to), "{} → {to}", self.state);
        self.state = to;
    }
}
