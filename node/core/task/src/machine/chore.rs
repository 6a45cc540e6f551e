//! After the agent: patch, checks, merge, box. Each is repeated until it worked, also over a restart.

use super::Turn;
use crate::effect::Effect;
use crate::event::Event;
use crate::retry::Reason;
use crate::state::TaskState;
use crate::task::Task;
use ikigai_types::{CheckResult, Commit, Fence, NodeId, TaskId, Verdict};

/// The one thing a task needs done now, read from its state alone.
fn chore_of(task: &Task) -> Option<Effect> {
    let last = task.attempts.last()?;
    match task.state {
        TaskState::Verifying if last.patch.is_none() => Some(Effect::OpenPatch(last.fence.clone())),
        TaskState::Verifying => Some(Effect::Verify(last.fence.clone())),
        TaskState::Review => task.accepted.clone().map(Effect::Merge),
        TaskState::Accepted if !task.ticked && task.spec.tasks_file.is_some() => {
            Some(Effect::Tick(task.spec.id.clone()))
        }
        _ => archive_of(task),
    }
}

/// A patch that nobody will go on with is archived, for as long as nobody asks for the task again.
fn archive_of(task: &Task) -> Option<Effect> {
    let given_up = task.state.is_settled() && task.state != TaskState::Accepted;
    task.patch().filter(|_| given_up && !task.archived)?;
    let last = task.attempts.last().map(|a| a.detail.clone());
    let text = match task.state {
        TaskState::Cancelled => "the task was ended by a person".to_owned(),
        TaskState::Rejected => task.rejected.clone().unwrap_or_default(),
        state => format!("{state}: {}", last.unwrap_or_default()),
    };
    Some(Effect::Archive { task: task.spec.id.clone(), text })
}

impl Turn<'_> {
    pub(super) fn do_chore(&mut self, id: &TaskId) {
        if let Some(effect) = self.owner.tasks.get(id).and_then(chore_of) {
            self.act(effect);
        }
    }

    /// Repeats chores that did not work, once their time has come.
    pub(super) fn due_chores(&mut self) {
        let now = self.now;
        let due =
            |t: &&Task| t.chore_tries > 0 && t.not_before.is_some_and(|n| n <= now) && chore_of(t).is_some();
        let ids: Vec<_> = self.owner.tasks.values().filter(due).map(|t| t.spec.id.clone()).collect();
        for id in ids {
            if let Some(task) = self.owner.tasks.get_mut(&id) {
                task.not_before = None;
            }
            self.do_chore(&id);
        }
    }

    pub(super) fn chore_failed(&mut self, id: &TaskId, chore: &str, text: String) {
        let Some(task) = self.owner.tasks.get(id).filter(|t| chore_of(t).is_some()) else { return };
        let until = self.now.after(self.owner.policy.doubled(task.chore_tries + 1));
        self.emit(id, Event::ChoreFailed { chore: chore.to_owned(), text, until });
    }

    /// Takes in what came of a chore of the last attempt, unless it is stale.
    pub(super) fn result(&mut self, fence: &Fence, what: &str, event: impl FnOnce(Fence) -> Event) {
        if self.is_result(fence, TaskState::Verifying, what) {
            let id = fence.attempt.task.clone();
            self.emit(&id, event(fence.clone()));
            self.do_chore(&id);
        }
    }

    /// A result counts if it is of the last attempt and the task is where such results are awaited.
    pub(super) fn is_result(&mut self, fence: &Fence, state: TaskState, what: &str) -> bool {
        let Some(task) = self.owner.tasks.get(&fence.attempt.task) else { return false };
        if task.is_last(fence) {
            return task.state == state;
        }
        let current = task.good_epoch();
        self.stale(fence, current, what);
        false
    }

    pub(super) fn verified(
        &mut self,
        fence: &Fence,
        verdict: Verdict,
        node: NodeId,
        checks: Vec<CheckResult>,
        gaps: Vec<String>,
    ) {
        if !self.is_result(fence, TaskState::Verifying, "verdict") {
            return;
        }
        let id = fence.attempt.task.clone();
        self.emit(&id, Event::Verified { fence: fence.clone(), verdict, node, checks, gaps });
        if verdict == Verdict::Not {
            self.next_try(&id, Reason::CheckFailed);
        }
    }

    pub(super) fn merged(&mut self, fence: &Fence, commit: Commit) {
        let id = &fence.attempt.task;
        let decided = self.owner.tasks.get(id).is_some_and(|t| t.accepted.as_ref() == Some(fence));
        if decided && self.is_result(fence, TaskState::Review, "merge") {
            self.emit(id, Event::Merged { fence: fence.clone(), commit });
            self.do_chore(id);
            self.release_dependents();
        }
    }

    pub(super) fn merge_conflict(&mut self, fence: &Fence, text: String) {
        if self.is_result(fence, TaskState::Review, "merge") {
            let id = &fence.attempt.task;
            self.emit(id, Event::MergeRefused { fence: fence.clone(), text: text.clone() });
            self.act(Effect::SendBack { fence: fence.clone(), text });
            self.next_try(id, Reason::Conflict);
        }
    }

    pub(super) fn patch_archived(&mut self, id: &TaskId) {
        if self.owner.tasks.get(id).and_then(archive_of).is_some() {
            self.emit(id, Event::Archived);
        }
    }

    pub(super) fn box_ticked(&mut self, id: &TaskId) {
        if self.owner.tasks.get(id).is_some_and(|t| t.state == TaskState::Accepted && !t.ticked) {
            self.emit(id, Event::Ticked);
        }
    }
}
