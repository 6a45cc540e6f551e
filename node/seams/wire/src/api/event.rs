//! What streams: events of tasks, and log lines.

use ikigai_types::{Epoch, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that happened to a task, in the owner's durable log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Cursor to go on after this event: `<log epoch>.<sequence>`.
    pub cursor: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// The task.
    pub task: TaskId,
    /// Attempt number, when it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Epoch, when it concerns a lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// What happened: `submitted`, `granted`, `started`, `exited`, `verified`, `accepted`, `stale-refused`, …
    #[serde(rename = "type")]
    pub what: String,
    /// The task's state after it.
    pub state: String,
    /// One sentence for people.
    pub text: String,
}

/// A log line as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogEntry {
    /// Number within the attempt, from 1.
    pub n: u64,
    /// When it was read.
    pub at: Timestamp,
    /// `stdout`, `stderr`, `system`, or `gap` (then `text` says how many lines are missing).
    pub stream: String,
    /// The line.
    pub text: String,
}
