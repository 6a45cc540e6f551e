//! Why a node was chosen or refused, kept with the attempt it was decided for.

use crate::NodeId;
use serde::{Deserialize, Serialize};

/// Whether a node is there, as far as is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// It answers.
    #[default]
    Alive,
    /// It did not answer lately, and may still say that it is there.
    Suspect,
    /// It is gone.
    Dead,
}

/// What refused a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// It is not alive, or is suspected not to be.
    Liveness,
    /// It takes no new work.
    Cordoned,
    /// It is being emptied.
    Draining,
    /// It lacks a tag, or has one that is excluded.
    Tag,
    /// It has a taint that is not tolerated.
    Taint,
    /// It cannot drive the agent CLI.
    Adapter,
    /// It has no credential for the provider.
    Credential,
    /// The provider's quota is used up there.
    Quota,
    /// It does not have the agent image.
    ImageMissing,
    /// It has no room now, or is too small for ever.
    Capacity,
    /// What is left is kept for other classes, or the class has all it may have.
    Class,
    /// What must be kept apart would meet there.
    Spread,
    /// It was offered the attempt and said no.
    Declined,
}

impl Filter {
    /// The word people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Tag => "tag",
            Self::Taint => "taint",
            Self::Adapter => "adapter",
            Self::Credential => "credential",
            Self::Quota => "quota",
            Self::ImageMissing => "image-missing",
            Self::Capacity => "capacity",
            Self::Class => "class",
            Self::Spread => "spread",
            Self::Declined => "declined",
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
    /// Higher is better: 0 to 1000 for room, plus what wishes add; `None` when a filter refused it.
    pub score: Option<u32>,
    /// The filter that refused it.
    pub refused: Option<Filter>,
    /// In words: what it lacks, or what made its score.
    pub reason: String,
    /// Whether it was chosen.
    pub chosen: bool,
}
