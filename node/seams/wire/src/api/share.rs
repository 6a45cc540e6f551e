//! What a share link shows: chosen field by field, with nothing that an agent or a program printed.

use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};

/// A task for people outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SharedTask {
    /// What people call it: `T012`.
    pub short: String,
    /// Its feature (`001-shop`), outside Spec-Kit empty.
    pub feature: String,
    /// One line of what is to be done; what looks like a secret is taken out.
    pub title: String,
    /// State of the published table.
    pub state: String,
    /// The word in brackets of `waiting(…)`, `paused(…)`, `failed(…)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Attempts, first to last.
    pub attempts: Vec<SharedAttempt>,
    /// Its newest patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<SharedPatch>,
    /// When it was accepted by its owner.
    pub submitted_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// The link works until then.
    pub expires_at: Timestamp,
}

/// One try, for people outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SharedAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// `preparing`, `running`, `paused`, `away`, `ended`.
    pub phase: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// A patch, for people outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SharedPatch {
    /// How many files it touches.
    pub files: u64,
    /// Lines added.
    pub additions: u64,
    /// Lines removed.
    pub deletions: u64,
    /// `VERIFIED`, `WITH-GAPS`, `NOT`, or absent while the checks run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Checks that passed.
    pub checks_passed: u64,
    /// Checks that were run.
    pub checks_run: u64,
    /// Whether it was merged.
    pub merged: bool,
}
