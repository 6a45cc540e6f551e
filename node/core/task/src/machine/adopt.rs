//! A person moves a task here whose owner is gone, and an owner that comes back finds its task moved.

use super::{Owner, Turn};
use crate::effect::Effect;
use crate::event::{Event, Record};
use crate::input::{Adoption, Refusal};
use crate::retry::Reason;
use crate::state::TaskState;
use ikigai_types::{Epoch, NodeId, TaskId};

impl Turn<'_> {
    /// Takes a task over with its whole history. What its last owner may have granted after the copy was made is
    /// below the new epochs.
    pub(super) fn adopt(&mut self, adoption: Adoption) {
        let Adoption { records, here, done } = adoption;
        let Some(id) = records.first().map(|r| r.task.clone()) else { return };
        if let Some(task) = self.owner.tasks.get(&id) {
            let state = format!("{} and owned here", task.state);
            return self.refuse(Refusal::Illegal { task: id, state, wanted: "adopt" });
        }
        let records: Vec<Record> = records.into_iter().filter(|r| r.task == id).collect();
        let copy = Owner::replay(self.owner.node, self.owner.policy, records.clone());
        let Some(task) = copy.task(&id) else { return self.refuse(Refusal::Unknown(id)) };
        let merging = task.accepted.is_some() && task.state != TaskState::Accepted;
        if merging || task.state == TaskState::Accepted {
            let state = if merging { "being merged".to_owned() } else { task.state.to_string() };
            return self.refuse(Refusal::Illegal { task: id, state, wanted: "adopt" });
        }
        let epoch = task.epoch.max(self.owner.ceded.get(&id).map_or(task.epoch, |c| c.1)).taken_over();
        for record in records {
            self.owner.apply(&record);
            self.act(Effect::Record(Box::new(record)));
        }
        let owner = self.owner.node;
        self.emit(&id, Event::Adopted { owner, epoch, here, done });
        self.release_dependents();
    }

    /// Another node owns it under a higher epoch: whatever runs for it here ends, and this node follows.
    pub(super) fn cede(&mut self, id: &TaskId, epoch: Epoch, to: NodeId) {
        let Some(task) = self.owner.tasks.get(id) else { return };
        if task.state == TaskState::Accepted || task.accepted.is_some() {
            let state = task.state.to_string();
            return self.refuse(Refusal::Illegal { task: id.clone(), state, wanted: "cede" });
        }
        if task.epoch >= epoch {
            let fence = task.attempts.last().map(|a| a.fence.clone());
            let current = task.epoch;
            return fence.into_iter().for_each(|fence| self.refuse(Refusal::Stale { fence, current }));
        }
        self.end_now(id, Reason::Superseded, 5);
        self.wait_no_longer(id, Reason::Superseded);
        self.emit(id, Event::Ceded { owner: to, epoch });
        self.look_again();
    }
}
