//! While a node holds the lease: renewing, running out, quota, the end.

use super::Turn;
use crate::effect::Effect;
use crate::event::Event;
use crate::input::Observation;
use crate::retry::Reason;
use crate::state::{TaskState, WaitReason};
use ikigai_types::{Fence, TaskId, Timestamp, Usage};

impl Turn<'_> {
    pub(super) fn heartbeat(&mut self, fence: Fence) {
        if !self.current(&fence, "heartbeat") {
            return;
        }
        let expires = self.now.after(self.owner.policy.lease);
        if let Some(task) = self.owner.tasks.get_mut(&fence.attempt.task) {
            task.expires = Some(expires);
        }
    }

    pub(super) fn quota(&mut self, fence: Fence, until: Timestamp) {
        if !self.current(&fence, "quota") {
            return;
        }
        let id = fence.attempt.task.clone();
        let Some(task) = self.owner.tasks.get(&id).filter(|t| t.state == TaskState::Running) else { return };
        let node = task.attempts.last().map_or(self.owner.node, |a| a.node);
        self.emit(&id, Event::QuotaHeld { fence: fence.clone(), until });
        self.act(Effect::Hold { fence, node });
    }

    /// Lets agents go on whose provider's quota has been reset. No retry is burnt.
    pub(super) fn end_quota(&mut self) {
        for id in self.owner.in_state(TaskState::Waiting(WaitReason::Quota)) {
            let due = self.owner.tasks.get(&id).is_some_and(|t| t.not_before.is_none_or(|t| t <= self.now));
            if due {
                self.let_go_on(&id);
            }
        }
    }

    pub(super) fn let_go_on(&mut self, id: &TaskId) {
        self.emit(id, Event::Resumed);
        let active = self.owner.tasks.get(id).and_then(|t| t.active().map(|a| (a.fence.clone(), a.node)));
        match active {
            Some((fence, node)) => self.act(Effect::Unhold { fence, node }),
            // What it waited for may have come while it was held.
            None => {
                self.release_dependents();
                self.look_again();
            }
        }
    }

    /// Takes back leases whose holder went silent. Its late results are refused by their epoch.
    pub(super) fn expire_leases(&mut self) {
        let now = self.now;
        let over = self.owner.tasks.values().filter(|t| t.expires.is_some_and(|e| e <= now));
        let over: Vec<_> = over.filter_map(|t| t.active()).map(|a| (a.fence.clone(), a.node)).collect();
        for (fence, node) in over {
            let id = fence.attempt.task.clone();
            let detail = format!("node {} did not renew the lease of epoch {}", node.short(), fence.epoch);
            self.emit(&id, lost(fence.clone(), detail));
            self.act(Effect::Stop { fence, node, grace: 0, reason: Reason::Lost });
            self.next_try(&id, Reason::Lost);
        }
    }

    pub(super) fn ended(&mut self, observation: Observation) {
        let Observation::Ended { fence, exit_code, reason, detail, usage, change, salvage } = observation
        else {
            return;
        };
        if !self.current(&fence, "result") {
            return;
        }
        let id = fence.attempt.task.clone();
        let reason = reason.or_else(|| change.is_none().then_some(Reason::NoChange));
        self.emit(&id, Event::Ended { fence, exit_code, reason, detail, usage, change, salvage });
        match reason {
            None => self.do_chore(&id),
            Some(reason) => self.next_try(&id, reason),
        }
        self.look_again();
    }

    /// The active attempt of `id` is over because a person wants it so.
    pub(super) fn end_now(&mut self, id: &TaskId, reason: Reason, grace: u64) {
        let active = self.owner.tasks.get(id).and_then(|t| t.active().map(|a| (a.fence.clone(), a.node)));
        if let Some((fence, node)) = active {
            let detail = format!("{} by a person", reason.name());
            self.emit(id, over(fence.clone(), reason, detail));
            self.act(Effect::Stop { fence, node, grace, reason });
        }
    }
}

fn lost(fence: Fence, detail: String) -> Event {
    over(fence, Reason::Lost, detail)
}

fn over(fence: Fence, reason: Reason, detail: String) -> Event {
    Event::Ended {
        fence,
        exit_code: None,
        reason: Some(reason),
        detail,
        usage: Usage::default(),
        change: None,
        salvage: None,
    }
}
