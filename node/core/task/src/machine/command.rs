//! What a person asks of one task.

use super::Turn;
use crate::effect::Effect;
use crate::event::Event;
use crate::input::{Command, Refusal};
use crate::retry::Reason;
use crate::state::TaskState;
use ikigai_types::TaskId;

impl Turn<'_> {
    pub(super) fn command(&mut self, id: &TaskId, command: Command) {
        let Some(task) = self.owner.tasks.get(id) else { return self.refuse(Refusal::Unknown(id.clone())) };
        let state = task.state;
        match command {
            Command::Stop => self.stop(id, state),
            Command::Pause => self.pause(id, state),
            Command::Resume if state == TaskState::Paused => self.let_go_on(id),
            Command::Resume => self.illegal(id, state, "resume"),
            Command::Retry => self.retry(id, state),
            Command::Evict { grace } => self.evict(id, state, grace),
            Command::Accept { force } => self.accept(id, state, force),
            Command::Reject { text, retry, notes } => self.reject(id, state, text, retry, notes),
        }
    }

    pub(super) fn illegal(&mut self, id: &TaskId, state: TaskState, wanted: &'static str) {
        self.refuse(Refusal::Illegal { task: id.clone(), state: state.to_string(), wanted });
    }

    fn stop(&mut self, id: &TaskId, state: TaskState) {
        match state {
            TaskState::Cancelled => {}
            TaskState::Accepted => self.illegal(id, state, "stop"),
            TaskState::Review if self.owner.tasks.get(id).is_some_and(|t| t.accepted.is_some()) => {
                self.illegal(id, state, "stop while it is being merged");
            }
            _ => {
                self.end_now(id, Reason::Stopped, 5);
                self.wait_no_longer(id, Reason::Stopped);
                self.emit(id, Event::Cancelled);
                self.do_chore(id);
                self.look_again();
            }
        }
    }

    fn pause(&mut self, id: &TaskId, state: TaskState) {
        match state {
            TaskState::Paused => {}
            TaskState::Queued | TaskState::Preparing | TaskState::Running | TaskState::Waiting(_) => {
                self.emit(id, Event::Paused);
                let active =
                    self.owner.tasks.get(id).and_then(|t| t.active().map(|a| (a.fence.clone(), a.node)));
                if let Some((fence, node)) = active {
                    self.act(Effect::Hold { fence, node });
                }
            }
            _ => self.illegal(id, state, "pause"),
        }
    }

    pub(super) fn retry(&mut self, id: &TaskId, state: TaskState) {
        match state {
            TaskState::Failed(_) | TaskState::Lost | TaskState::Rejected | TaskState::Cancelled => {
                self.wait_no_longer(id, Reason::Superseded);
                self.emit(id, Event::Retried);
                self.place_queued();
            }
            // A person does not want to wait for the back-off.
            TaskState::Queued => {
                if let Some(task) = self.owner.tasks.get_mut(id) {
                    task.not_before = None;
                }
                self.place_queued();
            }
            _ => self.illegal(id, state, "retry"),
        }
    }

    fn evict(&mut self, id: &TaskId, state: TaskState, grace: u64) {
        if self.owner.tasks.get(id).is_some_and(|t| t.active().is_none()) {
            return self.illegal(id, state, "evict");
        }
        // The holder ends it and says what it saved: the next attempt goes on from that.
        let active = self.owner.tasks.get(id).and_then(|t| t.active().map(|a| (a.fence.clone(), a.node)));
        if let Some((fence, node)) = active {
            self.emit(id, Event::Evicting { fence: fence.clone(), grace, room_for: None });
            self.act(Effect::Stop { fence, node, grace, reason: Reason::Evicted });
        }
    }
}
