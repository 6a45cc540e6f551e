//! What becomes of a result: taken or sent back by a person, by notes on its patch, or merged on the forge.

use super::Turn;
use crate::effect::Effect;
use crate::event::Event;
use crate::input::Refusal;
use crate::retry::Reason;
use crate::state::TaskState;
use crate::task::Task;
use ikigai_types::{Fence, TaskId, Verdict};

impl Turn<'_> {
    pub(super) fn accept(&mut self, id: &TaskId, state: TaskState, force: bool) {
        let Some(task) = self.owner.tasks.get(id) else { return };
        let last = task.attempts.last();
        let not = last.and_then(|a| a.verified.as_ref()).is_some_and(|v| v.verdict == Verdict::Not);
        // Its attempts are used up and its checks say NOT: what there is of it may be good enough for a person.
        let given_up = state == TaskState::Failed(Reason::CheckFailed) && not;
        match (state, last.filter(|a| a.patch.is_some()).map(|a| a.fence.clone())) {
            (TaskState::Accepted, _) => {}
            (TaskState::Review, _) if task.accepted.is_some() => {}
            (_, Some(_)) if given_up && !force => self.refuse(Refusal::NotVerified(id.clone())),
            (state, Some(fence)) if given_up || state == TaskState::Review => {
                self.emit(id, Event::AcceptDecided { fence });
                self.do_chore(id);
            }
            _ => self.illegal(id, state, "accept"),
        }
    }

    pub(super) fn reject(
        &mut self,
        id: &TaskId,
        state: TaskState,
        text: String,
        retry: bool,
        notes: Vec<String>,
    ) {
        let task = self.owner.tasks.get(id);
        // What was said on the forge is read there again and again.
        if !notes.is_empty() && task.is_some_and(|t| notes.iter().all(|n| t.heard.contains(n))) {
            return;
        }
        let fence = task.and_then(|t| t.attempts.last()).map(|a| a.fence.clone());
        let merging = task.is_some_and(|t| t.accepted.is_some());
        match (state, fence) {
            (TaskState::Review, Some(fence)) if !merging => {
                if !notes.is_empty() && self.notes_are_held(id, &fence) {
                    return;
                }
                let said = if notes.is_empty() { text.clone() } else { String::new() };
                self.emit(id, Event::Rejected { text, notes });
                if retry {
                    self.act(Effect::SendBack { fence, text: said });
                    self.retry(id, TaskState::Rejected);
                } else {
                    self.do_chore(id);
                }
            }
            _ => self.illegal(id, state, "reject"),
        }
    }

    /// Two programs that answer each other would have an agent work for ever.
    fn notes_are_held(&mut self, id: &TaskId, fence: &Fence) -> bool {
        let bound = self.owner.policy.note_turns;
        let Some(task) = self.owner.tasks.get(id).filter(|t| t.noted >= bound) else { return false };
        if !task.notes_held {
            let turns = task.noted;
            self.emit(id, Event::NotesHeld { turns });
            let text = format!(
                "Notes on this patch began {turns} turns of the agent, which is as many as they may. \
                 Further notes are not told to it until a person of this node decides."
            );
            self.act(Effect::Tell { fence: fence.clone(), text });
        }
        true
    }

    /// Somebody else merged the result of `fence`: that is the task's, and whatever runs for it now is in vain.
    pub(super) fn landed(&mut self, fence: &Fence) {
        let id = &fence.attempt.task;
        let Some(task) = self.owner.tasks.get(id) else { return };
        let made = task.attempts.iter().any(|a| a.fence == *fence && a.patch.is_some());
        if !made || task.state.is_settled() || task.accepted.is_some() {
            return;
        }
        if let Some((running, node)) = task.active().map(|a| (a.fence.clone(), a.node)) {
            let detail = format!("the result of attempt {} was merged meanwhile", fence.attempt.number);
            self.close(&running, node, Reason::Superseded, detail);
        }
        self.wait_no_longer(id, Reason::Superseded);
        self.emit(id, Event::Landed { fence: fence.clone() });
        self.do_chore(id);
        self.look_again();
    }

    /// The agent left what it was to change as it was: what the reviewer read is in review again. Where that is not
    /// the newest of its patch any more, the agent is to try again.
    pub(super) fn unchanged(&mut self, fence: &Fence) {
        if !self.is_result(fence, TaskState::Verifying, "result") {
            return;
        }
        let id = &fence.attempt.task;
        let stands = self.owner.tasks.get(id).and_then(Task::reviewed_before).map(|a| a.fence.clone());
        self.emit(id, Event::Unchanged { fence: fence.clone(), stands: stands.clone() });
        let Some(stands) = stands else { return self.next_try(id, Reason::NoChange) };
        let text = format!(
            "Attempt {} changed nothing: what attempt {} made is in review again.",
            fence.attempt.number, stands.attempt.number
        );
        self.act(Effect::Tell { fence: stands, text });
    }
}
