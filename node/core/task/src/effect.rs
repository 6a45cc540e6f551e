//! Everything the owner can cause. The driver persists every `Record` of a batch before it acts on the rest.

use crate::event::Record;
use crate::input::Refusal;
use ikigai_types::{Fence, Lease, NodeId, TaskId};

/// One consequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write it to the durable log.
    Record(Box<Record>),
    /// Ask placement for a node; answer with `Chosen` or `NoneFits`.
    Place(TaskId),
    /// Offer the lease to its node; it starts by itself when it accepts. Idempotent by fence.
    Offer(Lease),
    /// Have the holder stop it; the holder answers `Ended` unless it is already stale.
    Stop {
        /// The lease.
        fence: Fence,
        /// Who holds it.
        node: NodeId,
        /// Seconds the agent gets.
        grace: u64,
        /// Why, for its log.
        reason: crate::retry::Reason,
    },
    /// Have the holder hold it.
    Hold {
        /// The lease.
        fence: Fence,
        /// Who holds it.
        node: NodeId,
    },
    /// Have the holder let it go on.
    Unhold {
        /// The lease.
        fence: Fence,
        /// Who holds it.
        node: NodeId,
    },
    /// Make its result a revision of the task's patch, opened if there is none; answer `PatchOpened` or
    /// `ChoreFailed`.
    OpenPatch(Fence),
    /// Run its checks from a clean checkout; answer `Verified` or `ChoreFailed`.
    Verify(Fence),
    /// Merge its patch; answer `Merged`, `MergeConflict` or `ChoreFailed`.
    Merge(Fence),
    /// Tick its box; answer `Ticked` or `ChoreFailed`.
    Tick(TaskId),
    /// Say on its patch why it is sent back to the agent, where somebody has to be told, and make it a draft again.
    SendBack {
        /// The lease.
        fence: Fence,
        /// Why; empty when whoever wants it changed said so on the patch itself.
        text: String,
    },
    /// Say it on its patch, which a person is to look at.
    Tell {
        /// The attempt.
        fence: Fence,
        /// What.
        text: String,
    },
    /// Archive its patch, and say there why it will not be merged; answer `Archived` or `ChoreFailed`.
    Archive {
        /// The task.
        task: TaskId,
        /// Why.
        text: String,
    },
    /// Tell who asked that it was refused.
    Refuse(Refusal),
}
