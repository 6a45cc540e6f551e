//! Why a peer did not do what it was asked, as it travels.

use serde::{Deserialize, Serialize};

/// Longest text of a fault, in bytes.
pub const MAX_FAULT_TEXT: usize = 1024;

/// A refusal or a failure; its kind says what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What the caller can do.
    pub kind: FaultKind,
    /// What happened, at most [`MAX_FAULT_TEXT`] bytes.
    #[serde(default)]
    pub text: String,
    /// Why, at most [`MAX_FAULT_TEXT`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Milliseconds after which the same call may work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It is not there.
    NotFound,
    /// It will not be done as it was asked.
    Refused,
    /// Someone else was first.
    Conflict,
    /// Not now.
    Unavailable,
    /// What was read is not what was written.
    Corrupt,
    /// Never by this node.
    Unsupported,
    /// Anything else; also kinds of newer versions.
    #[serde(other)]
    Failed,
}

/// `text`, cut to at most `most` bytes at a character.
pub fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}
