//! What an agent made, as git sees it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A git commit id, 40 or 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commit(pub String);

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an agent made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it was made from.
    pub base: Commit,
    /// The signed head.
    pub head: Commit,
    /// Paths it adds, changes or deletes.
    pub files: Vec<String>,
    /// Lines added.
    pub additions: u64,
    /// Lines removed.
    pub deletions: u64,
}
