//! Why a node was chosen or refused, kept with the attempt it was decided for.

use crate::NodeId;
use serde::{Deserialize, Serialize};

/// What refused a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// It is not alive.
    Liveness,
    /// It takes no new work.
    Cordoned,
    /// It lacks a tag.
    Tag,
    /// It cannot drive the agent CLI.
    Adapter,
    /// It has no credential for the provider.
    Credential,
    /// It does not have the agent image.
    ImageMissing,
    /// It has no room now, or is too small for ever.
    Capacity,
}

impl Filter {
    /// The word people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Cordoned => "cordoned",
            Self::Tag => "tag",
            Self::Adapter => "adapter",
            Self::Credential => "credential",
            Self::ImageMissing => "image-missing",
            Self::Capacity => "capacity",
        }
    }
}

/// What placement said of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementRow {
    /// The node.
    pub node: NodeId,
    /// Its name for people.
    pub name: String,
    /// 0 to 1000; `None` when a filter refused it.
    pub score: Option<u32>,
    /// The filter that refused it.
    pub refused: Option<Filter>,
    /// In words: what it lacks, or what made its score.
    pub reason: String,
    /// Whether it was chosen.
    pub chosen: bool,
}
