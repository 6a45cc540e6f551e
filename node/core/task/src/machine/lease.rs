//! While a node holds the lease: renewing, running out, quota, the end.

use super::Turn;
use crate::attempt::Phase;
use crate::effect::Effect;
use crate::event::Event;
use crate::input::Observation;
use crate::retry::Reason;
use crate::state::{TaskState, WaitReason};
use ikigai_types::{Fence, TaskId, Timestamp, Usage};

impl Turn<'_> {
    pub(super) fn heartbeat(&mut self, fence: Fence) {
        if self.current(&fence, "heartbeat") {
            self.renew(&fence);
        }
    }

    /// Whatever a holder reports renews its lease: the answer to it says so.
    pub(super) fn renew(&mut self, fence: &Fence) {
        let expires = self.now.after(self.owner.policy.lease);
        let Some(task) = self.owner.tasks.get_mut(&fence.attempt.task) else { return };
        task.expires = Some(expires);
        // The order may not have arrived.
        if let Some((node, grace)) = task.active().and_then(|a| Some((a.node, a.leaving?))) {
            let fence = fence.clone();
            self.act(Effect::Stop { fence, node, grace, reason: Reason::Evicted });
        }
        self.repeat_hold(fence);
    }

    /// An order that did not arrive would leave an agent standing still for ever, or running while it should not.
    fn repeat_hold(&mut self, fence: &Fence) {
        let Some(task) = self.owner.tasks.get(&fence.attempt.task) else { return };
        let Some(held) = task.active().filter(|a| a.held) else { return };
        let (fence, node) = (fence.clone(), held.node);
        let holds = matches!(task.state, TaskState::Paused | TaskState::Waiting(WaitReason::Quota));
        self.act(if holds { Effect::Hold { fence, node } } else { Effect::Unhold { fence, node } });
    }

    /// What an attempt has used. It is taken note of at once, and written down now and then while it runs; of one
    /// that has ended always, for nothing else will. It renews nothing, and no lease is too old for it.
    pub(super) fn used(&mut self, fence: &Fence, usage: Usage) {
        let Some(task) = self.owner.tasks.get_mut(&fence.attempt.task) else { return };
        let Some(a) = task.attempts.iter_mut().find(|a| a.fence == *fence) else { return };
        a.usage = a.usage.later(usage);
        let (usage, ended) = (a.usage, a.phase == Phase::Ended);
        let (written, before) = a.used.unwrap_or((a.started_at, Usage::default()));
        let due = ended || written.after(self.owner.policy.used_every) <= self.now;
        if due && usage.calls > before.calls {
            self.emit(&fence.attempt.task, Event::Used { fence: fence.clone(), usage });
        }
    }

    pub(super) fn quota(&mut self, fence: Fence, until: Timestamp) {
        if !self.current(&fence, "quota") {
            return;
        }
        self.renew(&fence);
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

    pub(super) fn ended(&mut self, observation: Observation) {
        let Observation::Ended { fence, exit_code, reason, detail, usage, change, salvage, saved } =
            observation
        else {
            return;
        };
        let id = fence.attempt.task.clone();
        let reason = reason.or_else(|| change.is_none().then_some(Reason::NoChange));
        let left = self.owner.tasks.get(&id).and_then(|t| t.attempts.iter().find(|a| a.fence == fence));
        let room = left.filter(|_| reason == Some(Reason::Evicted)).and_then(|a| self.made_room(a));
        let detail = room.unwrap_or(detail);
        // One that was replaced and comes to nothing leaves its replacement alone.
        let task = self.owner.tasks.get(&id);
        let aside =
            reason.is_some() && task.is_some_and(|t| t.away(&fence).is_some() && t.active().is_some());
        if !aside && !self.current(&fence, "result") {
            return self.used(&fence, usage);
        }
        self.emit(&id, Event::Ended { fence, exit_code, reason, detail, usage, change, salvage, saved });
        match reason {
            _ if aside => {}
            None => {
                self.wait_no_longer(&id, Reason::Superseded);
                self.do_chore(&id);
            }
            Some(reason) => self.next_try(&id, reason),
        }
        self.look_again();
    }

    /// The active attempt of `id` is over because a person wants it so.
    pub(super) fn end_now(&mut self, id: &TaskId, reason: Reason, grace: u64) {
        let active = self.owner.tasks.get(id).and_then(|t| t.active().map(|a| (a.fence.clone(), a.node)));
        if let Some((fence, node)) = active {
            let detail = format!("{} by a person", reason.name());
            let usage = self.heard(&fence);
            self.emit(id, over(fence.clone(), reason, detail, usage));
            self.act(Effect::Stop { fence, node, grace, reason });
        }
    }
}

impl Turn<'_> {
    /// What the attempt of `fence` used, as far as it was heard.
    pub(super) fn heard(&self, fence: &Fence) -> Usage {
        let task = self.owner.tasks.get(&fence.attempt.task);
        let attempt = task.and_then(|t| t.attempts.iter().find(|a| a.fence == *fence));
        attempt.map(|a| a.usage).unwrap_or_default()
    }
}

/// The end of an attempt that its holder did not tell of.
pub(super) fn over(fence: Fence, reason: Reason, detail: String, usage: Usage) -> Event {
    Event::Ended {
        fence,
        exit_code: None,
        reason: Some(reason),
        detail,
        usage,
        change: None,
        salvage: None,
        saved: None,
    }
}
