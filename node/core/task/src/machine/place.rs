//! From submitted to granted.

use super::Turn;
use crate::effect::Effect;
use crate::event::Event;
use crate::input::Refusal;
use crate::retry::Reason;
use crate::spec::TaskSpec;
use crate::state::{TaskState, WaitReason};
use crate::task::Task;
use ikigai_types::{AttemptId, Fence, Lease, NodeId, PlacementRow, Submitter, TaskId};

impl Turn<'_> {
    pub(super) fn submit(&mut self, specs: Vec<TaskSpec>, by: Option<Submitter>) {
        let ceded = specs.iter().find_map(|s| Some((s.id.clone(), self.owner.ceded_to(&s.id)?)));
        if let Some((task, owner)) = ceded {
            return self.refuse(Refusal::Ceded { task, owner });
        }
        let fresh: Vec<_> = specs.into_iter().filter(|s| !self.owner.tasks.contains_key(&s.id)).collect();
        let ids: Vec<_> = fresh.iter().map(|s| s.id.clone()).collect();
        for spec in fresh {
            self.emit(&spec.id.clone(), Event::Submitted { spec: Box::new(spec), by: by.clone() });
        }
        for id in &ids {
            self.wait_for_dependency(id);
        }
        self.place_queued();
    }

    /// Moves a task that others must come before to `waiting(dependency)`.
    pub(super) fn wait_for_dependency(&mut self, id: &TaskId) -> bool {
        let spec = self.owner.tasks.get(id).map(|t| &t.spec);
        let Some(text) = spec.and_then(|s| self.owner.blocked(s)).map(|b| b.to_string()) else {
            return false;
        };
        let event = Event::Waits { reason: WaitReason::Dependency, text, rows: Vec::new(), until: None };
        self.emit(id, event);
        true
    }

    /// Asks placement for every queued task whose back-off is over, and before it for what is more important and
    /// waits for room: what is in line would take it.
    pub(super) fn place_queued(&mut self) {
        let due = |t: &&Task| t.state == TaskState::Queued && t.not_before.is_none_or(|t| t <= self.now);
        let least = self.owner.tasks.values().filter(due).map(|t| t.spec.wants.priority).min();
        if let Some(least) = least {
            self.seek(|t| t.spec.wants.priority > least);
            self.place_due();
        }
    }

    fn place_due(&mut self) {
        for id in self.owner.in_state(TaskState::Queued) {
            let due = self.owner.tasks.get(&id).is_some_and(|t| t.not_before.is_none_or(|t| t <= self.now));
            if due && !self.wait_for_dependency(&id) {
                self.emit(&id, Event::Placing);
                self.act(Effect::Place(id));
            }
        }
    }

    /// Something became free: whoever waits for room looks again.
    pub(super) fn look_again(&mut self) {
        self.seek(|_| true);
        self.place_due();
    }

    /// Whoever has waited for room long enough looks again, whether anything was heard or not.
    pub(super) fn look_again_when_due(&mut self) {
        let now = self.now;
        self.seek(|task| task.not_before.is_some_and(|t| t <= now));
    }

    /// Asks placement for the waiting that `looks` is true of. They go on waiting until there is room: with many of
    /// them, the log would otherwise fill with tasks that looked and found nothing.
    fn seek(&mut self, looks: impl Fn(&Task) -> bool) {
        for reason in [WaitReason::Capacity, WaitReason::Credential] {
            for id in self.owner.in_state(TaskState::Waiting(reason)) {
                if self.owner.tasks.get(&id).is_some_and(&looks) {
                    self.act(Effect::Place(id));
                }
            }
        }
    }

    pub(super) fn chosen(&mut self, id: &TaskId, node: NodeId, rows: Vec<PlacementRow>) {
        // Another task may have got its place, and the files, since placement was asked.
        if self.owner.tasks.get(id).is_some_and(seeks) && self.wait_for_dependency(id) {
            return;
        }
        if self.owner.tasks.get(id).is_some_and(waits_for_room) {
            self.emit(id, Event::Queued);
            self.emit(id, Event::Placing);
        }
        let Some(task) = self.owner.tasks.get(id).filter(|t| t.state == TaskState::Placing) else { return };
        if task.epoch.is_last() {
            self.emit(id, Event::Failed { reason: Reason::Host });
            return self.do_chore(id);
        }
        let attempt = AttemptId { task: id.clone(), number: task.next_number() };
        let fence = Fence { attempt, epoch: task.epoch.next() };
        let lease = Lease { fence, node, expires: self.now.after(self.owner.policy.lease) };
        let continues = task.continues();
        self.emit(id, Event::Granted { lease: lease.clone(), rows, continues });
        self.act(Effect::Offer(lease));
    }

    pub(super) fn none_fits(
        &mut self,
        id: &TaskId,
        reason: WaitReason,
        text: String,
        rows: Vec<PlacementRow>,
    ) {
        let (now, until) = (self.now, self.now.after(self.owner.policy.look_again));
        let Some(task) = self.owner.tasks.get_mut(id) else { return };
        let due = task.not_before.is_none_or(|t| t <= now);
        let news = match task.state {
            TaskState::Placing => true,
            // What each node lacks changes all the time: that is told now and then, another reason at once.
            TaskState::Waiting(before) if waits_for_room(task) => {
                before != reason || due && task.wait_text != text
            }
            _ => return,
        };
        if news {
            self.emit(id, Event::Waits { reason, text, rows, until: Some(until) });
        } else if due {
            task.not_before = Some(until);
        }
    }

    pub(super) fn declined(&mut self, fence: Fence, text: String) {
        if self.current(&fence, "decline") {
            let id = fence.attempt.task.clone();
            self.emit(&id, Event::Declined { fence, text });
            self.emit(&id, Event::Placing);
            self.act(Effect::Place(id));
        }
    }
}

/// Whether placement is asked for it.
pub(super) fn seeks(task: &Task) -> bool {
    task.state == TaskState::Placing || waits_for_room(task)
}

fn waits_for_room(task: &Task) -> bool {
    matches!(task.state, TaskState::Waiting(WaitReason::Capacity | WaitReason::Credential))
}
