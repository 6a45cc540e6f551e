//! A task's patch: its revisions, and what its verdict stands on.

use ikigai_types::{NodeId, PatchId, Timestamp};
use serde::{Deserialize, Serialize};

/// A patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PatchView {
    /// The forge's id; absent until it is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PatchId>,
    /// Attempt that made it.
    pub attempt: u32,
    /// Which revision of the patch it is, from 1; 0 until it is on the forge.
    #[serde(default)]
    pub revision: u32,
    /// All of them, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<RevisionView>,
    /// What was said of it on the forge, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteView>,
    /// Head commit.
    pub head: String,
    /// Files it touches.
    pub files: Vec<String>,
    /// Lines added.
    pub additions: u64,
    /// Lines removed.
    pub deletions: u64,
    /// `VERIFIED`, `WITH-GAPS`, `NOT`, or absent while the checks run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// What the verdict stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The merge commit once accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<String>,
}

/// One state of a patch: what one attempt made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RevisionView {
    /// Its number, from 1.
    pub number: u32,
    /// Attempt that made it.
    pub attempt: u32,
    /// Its head commit.
    pub head: String,
    /// Lines added, against what the task began from.
    pub additions: u64,
    /// Lines removed.
    pub deletions: u64,
    /// `VERIFIED`, `WITH-GAPS`, `NOT`, or absent while the checks run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Why it was not taken, when its checks or its merge said so (`check-failed`, `conflict`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// Something that was said of a patch on the forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NoteView {
    /// The key it is signed with.
    pub author: String,
    /// `node` (this one), `delegate` or `reviewer`, whose notes go to the agent, or `stranger`, whose do not.
    pub standing: String,
    /// It asks for a change: a comment or a refusal does, an approval does not.
    pub asks: bool,
    /// What it says.
    pub text: String,
    /// When its author says they said it.
    pub at: Timestamp,
}

/// What a verdict stands on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Node that ran the checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The checks, in order.
    pub checks: Vec<CheckView>,
    /// What is missing for VERIFIED, one phrase each.
    pub gaps: Vec<String>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CheckView {
    /// The command.
    pub command: String,
    /// Its exit code.
    pub code: i32,
    /// How long it took, in milliseconds.
    #[serde(rename = "durationMs")]
    pub ms: u64,
    /// The last lines it printed.
    pub tail: Vec<String>,
}
