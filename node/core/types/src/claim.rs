//! Claims: the lease an owner grants, and the fence every effect carries.

use crate::{AttemptId, Epoch, NodeId, Timestamp};
use serde::{Deserialize, Serialize};

/// What every effect that leaves a sandbox carries; whoever holds the resource refuses a lower epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The attempt that acts.
    pub attempt: AttemptId,
    /// The epoch of the lease it acts under.
    pub epoch: Epoch,
}

impl std::fmt::Display for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.attempt, self.epoch)
    }
}

/// A node's right to run an attempt until `expires`, granted by the task's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Attempt and fencing token.
    pub fence: Fence,
    /// The node that may run it.
    pub node: NodeId,
    /// When the owner will take it back unless it is renewed, by the owner's clock.
    pub expires: Timestamp,
}
