//! Ending attempts of lower priority so that something more important fits.

use super::place::seeks;
use super::{Owner, Turn};
use crate::attempt::Attempt;
use crate::effect::Effect;
use crate::event::Event;
use crate::retry::Reason;
use crate::state::WaitReason;
use crate::task::Task;
use ikigai_types::{AttemptId, PlacementRow, TaskId};

/// Seconds an agent gets to end by itself.
const GRACE: u64 = 10;

impl Task {
    /// Its attempt, if that may be ended to make room for priority `above`: nobody types in its terminal, its holder
    /// is heard of, and it does not end already. What is checked, reviewed or merged holds no lease and no room.
    pub fn may_yield(&self, above: i32) -> Option<&Attempt> {
        let free = |a: &&Attempt| a.writer.is_none() && a.silent.is_none() && a.leaving.is_none();
        self.active().filter(|_| self.spec.wants.priority < above).filter(free)
    }
}

impl Owner {
    /// Whether a task of `priority` may have attempts of others ended, and there is one. Only what was submitted
    /// with a priority above zero may: nobody's work ends unless somebody asked for that.
    pub fn may_preempt(&self, priority: i32) -> bool {
        priority > 0 && self.tasks.values().any(|t| t.may_yield(priority).is_some())
    }
}

impl Turn<'_> {
    /// Has `evict` ended for `id`, which waits meanwhile. One that may not end any more is left, and all the others
    /// with it: the room would not be enough.
    pub(super) fn make_room(
        &mut self,
        id: &TaskId,
        evict: &[AttemptId],
        text: String,
        rows: Vec<PlacementRow>,
    ) {
        let Some(priority) = self.owner.tasks.get(id).map(|t| t.spec.wants.priority) else { return };
        // It has to wait for others, however much room there is.
        if self.owner.tasks.get(id).is_some_and(seeks) && self.wait_for_dependency(id) {
            return;
        }
        let found = |attempt: &AttemptId| {
            let task = self.owner.tasks.get(&attempt.task)?;
            let may = task.may_yield(priority).filter(|a| a.fence.attempt == *attempt && priority > 0);
            may.map(|a| (a.fence.clone(), a.node))
        };
        let victims: Option<Vec<_>> = evict.iter().map(found).collect();
        let Some(victims) = victims.filter(|_| self.owner.tasks.get(id).is_some_and(seeks)) else {
            return self.none_fits(id, WaitReason::Capacity, text, rows);
        };
        let until = Some(self.now.after(self.owner.policy.look_again));
        self.emit(id, Event::Waits { reason: WaitReason::Capacity, text, rows, until });
        for (fence, node) in victims {
            let (task, room_for) = (fence.attempt.task.clone(), Some(id.clone()));
            self.emit(&task, Event::Evicting { fence: fence.clone(), grace: GRACE, room_for });
            self.act(Effect::Stop { fence, node, grace: GRACE, reason: Reason::Evicted });
        }
    }

    /// What is said of an attempt that was ended to make room.
    pub(super) fn made_room(&self, attempt: &Attempt) -> Option<String> {
        let other = self.owner.tasks.get(attempt.room_for.as_ref()?)?;
        let priority = other.spec.wants.priority;
        Some(format!("made room for {} (priority {priority})", other.spec.id.short()))
    }
}
