//! Who submitted a task.

use crate::{NodeId, writer};
use serde::{Deserialize, Serialize};

/// A user, and the node they came to: users of the same name on two nodes are two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Submitter {
    /// Name of the user, and where they came in: `alice@laptop`. Made of letters, digits and `._@-`.
    pub name: String,
    /// The node that knows the user.
    pub node: NodeId,
}

impl Submitter {
    /// Somebody called `name` on `node`: what is no letter, digit or one of `._@-` is replaced, and it is cut.
    pub fn new(name: &str, node: NodeId) -> Self {
        Self { name: writer::plain(name), node }
    }
}
