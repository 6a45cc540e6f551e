//! Why a node was chosen or refused, kept with the attempt it was decided for.

use crate::NodeId;
use serde::{Deserialize, Serialize};

/// What placement said of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementRow {
    /// The node.
    pub node: NodeId,
    /// Its name for people.
    pub name: String,
    /// 0 to 1000; `None` when a filter refused it.
    pub score: Option<u32>,
    /// The filter that refused it, or what made its score.
    pub reason: String,
    /// Whether it was chosen.
    pub chosen: bool,
}
