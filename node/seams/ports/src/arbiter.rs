//! Who has a task when its owner may be gone: one place outside the mesh that decides between nodes which cannot
//! ask each other.

mod rule;

pub use rule::{Held, settle, take};

use crate::PortResult;
use async_trait::async_trait;
use ikigai_types::{Epoch, NodeId, TaskId};
use std::fmt;
use std::time::Duration;

/// Decides who has a task, by compare-and-swap on one row for each task that was ever moved or accepted.
///
/// * An answer is durable before it is given. Every verb may be repeated: what was granted once is granted again.
/// * Time is the arbiter's alone: no clock of a node is asked.
/// * It knows who has a task and nothing of the task. What it is asked for a task that it never heard of, it
///   answers by who is there.
/// * Every method is cancel-safe, and fails with `Unavailable` when the arbiter does not answer in time.
#[async_trait]
pub trait Arbiter: fmt::Debug + Send + Sync + 'static {
    /// Says that `node` is there, until `lasts` from now.
    async fn stand(&self, node: NodeId, lasts: Duration) -> PortResult<()>;

    /// Moves a task, if whoever has it is not there any more.
    async fn take(&self, taking: &Taking) -> PortResult<Ruling>;

    /// Notes that `owner` accepts the result of `task`: from then on nobody else can have it. Or, with `accepted`
    /// false, that nothing came of that: the result did not merge.
    async fn settle(&self, task: &TaskId, owner: NodeId, accepted: bool) -> PortResult<Ruling>;

    /// What is known of those of `tasks` that were moved or settled.
    async fn claims(&self, tasks: &[TaskId]) -> PortResult<Vec<(TaskId, Claim)>>;
}

/// A task that is to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taking {
    /// The task.
    pub task: TaskId,
    /// Who has it, as far as whoever asks knows.
    pub from: NodeId,
    /// Who is to have it.
    pub to: NodeId,
    /// Its epochs there are above this one.
    pub epoch: Epoch,
    /// Also when `from` is there, or was never heard of.
    pub force: bool,
    /// `to` has it in its log already: from now on others may rely on that.
    pub held: bool,
}

/// Who has a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub owner: NodeId,
    /// Who had it before.
    pub was: NodeId,
    /// Its epochs are above this one.
    pub epoch: Epoch,
    /// It is in the owner's log; until then the one before may still accept it.
    pub held: bool,
    /// Its result is accepted, or is being merged.
    pub settled: bool,
}

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It said so, and that lasts.
    There,
    /// It said so once.
    Gone,
    /// It never said so.
    Unheard,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is so now.
    Granted,
    /// This node has it, and is there.
    There(NodeId),
    /// This node has it, and never said here that it is there: nothing is known of it.
    Unheard(NodeId),
    /// It was moved to this node.
    Held(NodeId),
    /// This node accepted its result.
    Settled(NodeId),
}
