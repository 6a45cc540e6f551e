//! From submitted to granted.

use super::Turn;
use crate::effect::Effect;
use crate::event::Event;
use crate::input::Refusal;
use crate::retry::Reason;
use crate::spec::TaskSpec;
use crate::state::{TaskState, WaitReason};
use ikigai_types::{AttemptId, Fence, Lease, NodeId, PlacementRow, TaskId};

impl Turn<'_> {
    pub(super) fn submit(&mut self, specs: Vec<TaskSpec>) {
        let ceded = specs.iter().find_map(|s| Some((s.id.clone(), self.owner.ceded_to(&s.id)?)));
        if let Some((task, owner)) = ceded {
            return self.refuse(Refusal::Ceded { task, owner });
        }
        let fresh: Vec<_> = specs.into_iter().filter(|s| !self.owner.tasks.contains_key(&s.id)).collect();
        let ids: Vec<_> = fresh.iter().map(|s| s.id.clone()).collect();
        for spec in fresh {
            self.emit(&spec.id.clone(), Event::Submitted { spec: Box::new(spec) });
        }
        for id in &ids {
            self.wait_for_dependency(id);
        }
        self.place_queued();
    }

    /// Moves a queued task that others must come before to `waiting(dependency)`.
    pub(super) fn wait_for_dependency(&mut self, id: &TaskId) -> bool {
        let Some(open) = self.owner.open_dependency(id) else { return false };
        let text = format!("waits for {}", open.short());
        let event = Event::Waits { reason: WaitReason::Dependency, text, rows: Vec::new(), until: None };
        self.emit(id, event);
        true
    }

    /// Asks placement for every queued task whose back-off is over.
    pub(super) fn place_queued(&mut self) {
        for id in self.owner.in_state(TaskState::Queued) {
            let due = self.owner.tasks.get(&id).is_some_and(|t| t.not_before.is_none_or(|t| t <= self.now));
            if due && !self.wait_for_dependency(&id) {
                self.emit(&id, Event::Placing);
                self.act(Effect::Place(id));
            }
        }
        for id in self.owner.in_state(TaskState::Waiting(WaitReason::Capacity)) {
            let due = self.owner.tasks.get(&id).is_some_and(|t| t.not_before.is_some_and(|t| t <= self.now));
            if due {
                self.requeue(&id);
            }
        }
    }

    /// Something became free: whoever waits for room looks again.
    pub(super) fn look_again(&mut self) {
        for reason in [WaitReason::Capacity, WaitReason::Credential] {
            for id in self.owner.in_state(TaskState::Waiting(reason)) {
                self.requeue(&id);
            }
        }
        self.place_queued();
    }

    fn requeue(&mut self, id: &TaskId) {
        if let Some(task) = self.owner.tasks.get_mut(id) {
            task.not_before = None;
        }
        self.emit(id, Event::Queued);
        self.emit(id, Event::Placing);
        self.act(Effect::Place(id.clone()));
    }

    pub(super) fn chosen(&mut self, id: &TaskId, node: NodeId, rows: Vec<PlacementRow>) {
        let Some(task) = self.owner.tasks.get(id).filter(|t| t.state == TaskState::Placing) else { return };
        if task.epoch.is_last() {
            return self.emit(id, Event::Failed { reason: Reason::Host });
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
        if self.owner.tasks.get(id).is_some_and(|t| t.state == TaskState::Placing) {
            let until = Some(self.now.after(self.owner.policy.look_again));
            self.emit(id, Event::Waits { reason, text, rows, until });
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
