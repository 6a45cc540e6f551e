//! A holder that goes silent: waiting for it, making another attempt meanwhile, and choosing between the two.

use super::Turn;
use super::lease::over;
use crate::attempt::Phase;
use crate::disconnect::{Side, keeps};
use crate::effect::Effect;
use crate::event::Event;
use crate::retry::Reason;
use crate::state::TaskState;
use crate::task::Task;
use ikigai_types::{Fence, NodeId, TaskId, Timestamp};

impl Turn<'_> {
    /// Takes note of leases whose holder went silent, and takes them back when nobody waits for it any longer.
    pub(super) fn expire_leases(&mut self) {
        let now = self.now;
        let over = self.owner.tasks.values().filter(|t| t.expires.is_some_and(|e| e <= now));
        let over: Vec<_> = over
            .filter_map(|t| Some((t.active()?, t.spec.disconnect)))
            .map(|(a, policy)| (a.fence.clone(), a.node, a.silent.is_some(), policy))
            .collect();
        for (fence, node, waited, policy) in over {
            let id = fence.attempt.task.clone();
            if !waited && policy.lost_after_secs > 0 {
                let until = now.after(policy.lost_after());
                self.emit(&id, Event::Silent { fence, until, replaced: policy.replace });
                if policy.replace {
                    self.next_try(&id, Reason::Lost);
                }
                continue;
            }
            self.lose(&fence, node);
            if policy.replace {
                self.next_try(&id, Reason::Lost);
            } else {
                self.emit(&id, Event::Failed { reason: Reason::Lost });
                self.do_chore(&id);
                self.look_again();
            }
        }
        self.stop_waiting();
    }

    /// Gives up replaced attempts whose time to come back is over.
    fn stop_waiting(&mut self) {
        let now = self.now;
        let gone = |t: &Task| away(t, |until| until <= now);
        let gone: Vec<_> = self.owner.tasks.values().flat_map(gone).collect();
        gone.iter().for_each(|(fence, node)| self.lose(fence, *node));
    }

    fn lose(&mut self, fence: &Fence, node: NodeId) {
        let detail = format!("its node did not renew the lease of epoch {}", fence.epoch);
        self.close(fence, node, Reason::Lost, detail);
    }

    pub(super) fn close(&mut self, fence: &Fence, node: NodeId, reason: Reason, detail: String) {
        let usage = self.heard(fence);
        self.emit(&fence.attempt.task, over(fence.clone(), reason, detail, usage));
        self.act(Effect::Stop { fence: fence.clone(), node, grace: 0, reason });
    }

    /// Nobody waits for silent holders of `id` any more: something was decided that they cannot change.
    pub(super) fn wait_no_longer(&mut self, id: &TaskId, reason: Reason) {
        let silent = self.owner.tasks.get(id).map(|t| away(t, |_| true)).unwrap_or_default();
        for (fence, node) in silent {
            let detail = format!("node {} was not heard of before this was decided", node.short());
            self.close(&fence, node, reason, detail);
        }
    }

    /// A silent holder is heard again. True if its attempt is the present one now; otherwise it was refused.
    pub(super) fn back(&mut self, fence: &Fence, what: &str) -> bool {
        let id = &fence.attempt.task;
        let Some(task) = self.owner.tasks.get(id) else { return false };
        let Some((ours, node)) = task.away(fence).map(|a| (Side::of(a, self.now), a.node)) else {
            return false;
        };
        let Some(present) = task.active().filter(|a| a.fence != *fence) else {
            self.returns(fence);
            return true;
        };
        let (there, theirs) = (present.node, Side::of(present, self.now));
        let (kept, other) = (present.fence.clone(), task.spec.disconnect.reconcile);
        let detail = |number| format!("attempt {number} is kept in its place: {other}");
        if keeps(other, &ours, &theirs) {
            self.close(&kept, there, Reason::Superseded, detail(ours.number));
            self.returns(fence);
            return true;
        }
        self.close(fence, node, Reason::Superseded, detail(theirs.number));
        self.stale(fence, kept.epoch, what);
        false
    }

    /// The attempt of `fence` goes on as if nothing had happened.
    pub(super) fn returns(&mut self, fence: &Fence) {
        let id = &fence.attempt.task;
        let held =
            self.owner.tasks.get(id).and_then(|t| t.attempts.iter().find(|a| a.fence == *fence)?.silent);
        self.emit(id, Event::Returned { fence: fence.clone() });
        let expires = self.now.after(self.owner.policy.lease);
        let Some(task) = self.owner.tasks.get_mut(id) else { return };
        task.expires = Some(expires);
        let Some((held, node)) = held.map(|s| s.held).zip(task.attempts.last().map(|a| a.node)) else {
            return;
        };
        let fence = fence.clone();
        match (task.state, held) {
            (TaskState::Paused, false) => self.act(Effect::Hold { fence, node }),
            (TaskState::Preparing | TaskState::Running, true) => self.act(Effect::Unhold { fence, node }),
            _ => {}
        }
    }
}

/// Attempts of `task` that are waited for, until a time that `due` picks.
fn away(task: &Task, due: impl Fn(Timestamp) -> bool) -> Vec<(Fence, NodeId)> {
    let due = |a: &&crate::Attempt| a.phase == Phase::Away && a.silent.is_some_and(|s| due(s.until));
    task.attempts.iter().filter(due).map(|a| (a.fence.clone(), a.node)).collect()
}
