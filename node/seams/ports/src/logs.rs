//! Numbered, durable lines: what an agent printed, never lost and never repeated.

pub mod admit;

pub use admit::{admit, covers};

use crate::PortResult;
use async_trait::async_trait;
use ikigai_types::{AttemptId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use tokio::sync::watch;

/// Append-only lines per attempt, numbered from 1 without a hole.
///
/// * An `append` that answered is on disk; many appends at once, of one or many attempts, share one flush.
/// * `append` is idempotent by number: lines at or below the last number kept are dropped, so a source may
///   replay everything after a break. A first line beyond last + 1 is kept and the hole is recorded as one
///   [`Stream::Gap`] line per missing range, never passed over in silence. The gap line has the first missing
///   number and stands for all of the range; what is decided here is decided by [`admit()`] for all backends.
/// * What breaks the rules (numbers that do not rise, a line longer than [`MAX_LINE`], an append heavier than
///   [`MAX_APPEND`]) is refused whole.
/// * Bytes that were torn by a crash are cut off on open; answered lines never are.
#[async_trait]
pub trait Logs: fmt::Debug + Send + Sync + 'static {
    /// Adds lines (their `n` rising) and answers the last number that is now durable.
    async fn append(&self, attempt: &AttemptId, lines: Vec<LogLine>) -> PortResult<u64>;

    /// Up to `limit` lines numbered ≥ `from`.
    async fn read(&self, attempt: &AttemptId, from: u64, limit: usize) -> PortResult<Vec<LogLine>>;

    /// The last durable number of an attempt (0 for none), and every later one as it changes.
    async fn watch(&self, attempt: &AttemptId) -> PortResult<watch::Receiver<u64>>;

    /// Removes an attempt's lines. Not an error when there are none.
    async fn remove(&self, attempt: &AttemptId) -> PortResult<()>;
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// The agent's standard output.
    Stdout,
    /// The agent's standard error.
    Stderr,
    /// agentd, the gateway or the node itself.
    System,
    /// Lines that were lost: `text` is how many.
    Gap,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its number within the attempt, from 1.
    pub n: u64,
    /// When it was read from the agent.
    pub at: Timestamp,
    /// Where it came from.
    pub stream: Stream,
    /// The text without its newline; at most [`MAX_LINE`] bytes, longer lines are split by who numbers them.
    pub text: String,
}

/// The longest line kept as one: 64 KiB.
pub const MAX_LINE: usize = 64 << 10;

/// The most one append may weigh (see [`LogLine::weight`]): 8 MiB.
pub const MAX_APPEND: usize = 8 << 20;

impl LogLine {
    /// What the line counts against [`MAX_APPEND`]: its text and 32 bytes for the rest.
    pub fn weight(&self) -> usize {
        self.text.len() + 32
    }
}
