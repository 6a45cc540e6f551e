//! The built-in provider `scripted`: answers the Responses wire from a script file, with no account and no network.
//!
//! A script says, for each task of a feature, the commands an agent runs and what it says at the end:
//!
//! ```toml
//! delay_ms = 300                  # waited before each step, so that people can watch; default 0
//!
//! [[task]]
//! id = "T003"                     # matches the prompt's line `Task: T003`
//! attempt = 1                     # optional, matches `Attempt: 1`; an entry without it serves all others
//! say = "Parser written."         # the final message; default "Done."
//! fail = { status = 429, retry_after = 2, step = 0 }   # optional: once per attempt, before that step
//!
//! [[task.step]]
//! run = "echo 'fn main() {}' > main.rs"
//!
//! [[task.step]]
//! run = "git add -A && git commit -qm 'T003: parser'"
//! delay_ms = 1000                 # optional: instead of the default
//! ```
//!
//! Which step comes next is read from the conversation in the request, as a real model would, so that a
//! restarted node goes on where it was. Only `fail` is remembered, and only in memory.

mod answer;
mod request;
mod script;

use answer::{Reply, refuse};
use async_trait::async_trait;
use ikigai_ports::model::{Model, ModelAnswer, ModelCall};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::AttemptId;
use request::{Request, Shell};
use script::{Entry, Failure, Script};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many attempts' injected failures are remembered; beyond it none is injected any more.
const FAILED_MAX: usize = 10_000;
/// Longest a command is waited for in one call, in milliseconds; codex allows no more.
const YIELD_MS: u64 = 30_000;

/// A model that follows a script.
#[derive(Debug)]
pub struct ScriptedModel {
    script: Script,
    failed: Mutex<HashSet<AttemptId>>,
}

impl ScriptedModel {
    /// Reads a script.
    ///
    /// # Errors
    /// [`PortError::Refused`], with line and column, when `text` is not a script.
    pub fn load(text: &str) -> PortResult<Self> {
        let script = Script::parse(text).map_err(|e| PortError::Refused(format!("model script: {e}")))?;
        Ok(Self { script, failed: Mutex::default() })
    }

    /// The entry's failure when it is due and was not injected for this attempt before.
    fn due_failure(&self, entry: &Entry, step: usize, attempt: &AttemptId) -> Option<Failure> {
        let failure = entry.fail.filter(|f| f.step == step)?;
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        (failed.len() < FAILED_MAX && failed.insert(attempt.clone())).then_some(failure)
    }

    fn reply(&self, entry: Option<&Entry>, request: &Request) -> Reply {
        let turn = request.turn();
        let Some(entry) = entry else {
            return Reply::message(turn.step, nothing_for(&turn));
        };
        let Some(step) = entry.step.get(turn.step) else {
            return Reply::message(turn.step, entry.say.replace("{earlier}", &turn.earlier.to_string()));
        };
        let Some(shell) = request.shell() else {
            return Reply::message(
                turn.step,
                "The request offers no tool that runs a command; nothing was done.",
            );
        };
        if let (Shell::ExecCommand, Some(session)) = (shell, turn.still_running) {
            return Reply::poll(turn.step, turn.polls, session, YIELD_MS);
        }
        let delay = step.delay_ms.unwrap_or(self.script.delay_ms);
        Reply::run(turn.step, shell, &step.run, YIELD_MS).after(Duration::from_millis(delay))
    }
}

// === impl Model ===

#[async_trait]
impl Model for ScriptedModel {
    async fn call(&self, call: ModelCall) -> PortResult<ModelAnswer> {
        if call.path != "/responses" {
            return Ok(refuse(404, None, "not_found", "the scripted provider answers POST /responses only"));
        }
        let request = match serde_json::from_slice::<Request>(&call.body) {
            Ok(request) => request,
            Err(e) => {
                return Ok(refuse(
                    400,
                    None,
                    "invalid_request_error",
                    &format!("not a Responses request: {e}"),
                ));
            }
        };
        let turn = request.turn();
        let entry = turn.task.as_deref().and_then(|task| self.script.entry(task, turn.attempt));
        if let Some(f) = entry.and_then(|entry| self.due_failure(entry, turn.step, &call.attempt)) {
            return Ok(refuse(
                f.status,
                f.retry_after,
                "scripted_failure",
                "the script says that this call fails",
            ));
        }
        Ok(self.reply(entry, &request).answer(&request))
    }

    async fn models(&self) -> PortResult<Vec<String>> {
        Ok(vec![self.script.model.clone()])
    }

    fn name(&self) -> &str {
        "scripted"
    }
}

fn nothing_for(turn: &request::Turn) -> String {
    match &turn.task {
        Some(task) => format!(
            "The model script has no entry for task {task}, attempt {}. Nothing was done.",
            turn.attempt
        ),
        None => {
            "The prompt has no line `Task: T…`, so the model script cannot be followed. Nothing was done."
                .into()
        }
    }
}
