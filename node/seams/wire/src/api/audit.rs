//! The audit log as it is sent.

use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};

/// One decision: a write that was let through, or something that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its number in the log, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub who: String,
    /// How they came: `socket`, `folder`, `token <id>`, `session <id>`, `share <id>`, or `-`.
    pub via: String,
    /// What the policy calls it; `-` when it never came to that.
    pub action: String,
    /// Method and path, and what came of it.
    pub what: String,
    /// `done`; `failed`: it was let through and not done; `denied` by the policy; `refused` before that.
    pub result: String,
    /// Of this entry and the hash of the one before: 64 hex digits.
    pub hash: String,
}

/// What came of following the whole log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditCheck {
    /// Entries that are as they were written.
    pub entries: u64,
    /// Number of the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// Its hash: kept elsewhere, it shows later that the end was not cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// What is wrong after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}
