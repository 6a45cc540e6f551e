//! The script file: what it may say, and which entry serves a prompt.

use serde::Deserialize;

/// Longest delay before one step, in milliseconds.
const DELAY_MAX_MS: u64 = 60_000;

/// A whole script.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    /// Name under which the provider offers itself.
    #[serde(default = "model")]
    pub(super) model: String,
    /// Waited before each step that does not say otherwise.
    #[serde(default)]
    pub(super) delay_ms: u64,
    #[serde(default, rename = "task")]
    tasks: Vec<Entry>,
}

/// What happens for one task.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    id: String,
    #[serde(default)]
    attempt: Option<u32>,
    /// The final message; `{earlier}` is how many prompts the model sees before the present one.
    #[serde(default = "done")]
    pub(super) say: String,
    /// A failure to inject.
    #[serde(default)]
    pub(super) fail: Option<Failure>,
    /// Commands, in order.
    #[serde(default)]
    pub(super) step: Vec<Step>,
}

/// One command.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Given to the agent's shell.
    pub(super) run: String,
    /// Waited before it.
    #[serde(default)]
    pub(super) delay_ms: Option<u64>,
}

/// An HTTP status answered once instead of a step.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failure {
    /// 400 to 599.
    pub(super) status: u16,
    /// Seconds.
    #[serde(default)]
    pub(super) retry_after: Option<u64>,
    /// Before which step, from 0.
    #[serde(default)]
    pub(super) step: usize,
}

/// Why a text is not a script.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScriptError {
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    #[error(
        "two entries for task `{0}` would serve the same attempt: keep one, or give them `attempt = 1`, `attempt = 2`"
    )]
    Twice(String),
    #[error("task `{0}`: `{1}` is not a status a call fails with (400 to 599)")]
    Status(String, u16),
    #[error("a delay of {0} ms is longer than {DELAY_MAX_MS} ms")]
    Delay(u64),
}

impl Script {
    pub(super) fn parse(text: &str) -> Result<Self, ScriptError> {
        let script: Self = toml::from_str(text)?;
        for (i, entry) in script.tasks.iter().enumerate() {
            if script.tasks[..i].iter().any(|e| e.id == entry.id && e.attempt == entry.attempt) {
                return Err(ScriptError::Twice(entry.id.clone()));
            }
            if let Some(f) = entry.fail.filter(|f| !(400..600).contains(&f.status)) {
                return Err(ScriptError::Status(entry.id.clone(), f.status));
            }
        }
        let steps = script.tasks.iter().flat_map(|e| &e.step).filter_map(|s| s.delay_ms);
        match steps.chain([script.delay_ms]).find(|&ms| ms > DELAY_MAX_MS) {
            Some(ms) => Err(ScriptError::Delay(ms)),
            None => Ok(script),
        }
    }

    /// The entry for exactly this attempt, or the one for any.
    pub(super) fn entry(&self, task: &str, attempt: u32) -> Option<&Entry> {
        let of = |wanted| self.tasks.iter().find(|e| e.id == task && e.attempt == wanted);
        of(Some(attempt)).or_else(|| of(None))
    }
}

fn model() -> String {
    "scripted".into()
}

fn done() -> String {
    "Done.".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_for_this_attempt_comes_before_the_one_for_any() {
        let script = Script::parse(
            "[[task]]\nid = 'T001'\nsay = 'any'\n[[task]]\nid = 'T001'\nattempt = 2\nsay = 'second'\n",
        )
        .unwrap();
        let say = |task, attempt| script.entry(task, attempt).map(|e| e.say.as_str());
        assert_eq!(say("T001", 1), Some("any"));
        assert_eq!(say("T001", 2), Some("second"));
        assert_eq!(say("T002", 1), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error = |text| Script::parse(text).unwrap_err().to_string();
        assert!(error("[[task]]\nid = 'T1'\nsays = 'x'\n").contains("line 3, column 1"));
        assert!(error("[[task]]\nid = 'T1'\n[[task]]\nid = 'T1'\n").contains("two entries for task `T1`"));
        assert!(error("[[task]]\nid = 'T1'\nfail = { status = 200 }\n").contains("`200`"));
        assert!(error("delay_ms = 60001").contains("60001"));
        assert!(error("[[task]]\nid = 'T1'\n[[task.step]]\nrun = 'x'\ndelay_ms = 99999\n").contains("99999"));
    }
}
