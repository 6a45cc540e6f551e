//! A user.

use crate::Role;
use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};

/// Somebody who may do something, beside who runs the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The Linux user it is over the Unix socket.
    #[serde(default)]
    pub linux: Option<String>,
    /// What an identity provider calls it.
    #[serde(default)]
    pub subject: Option<String>,
    /// When it was added.
    pub created: Timestamp,
}

/// Whether a user can be called `text`: nothing that looks like something else in a log, a path or a policy.
pub fn name(text: &str) -> bool {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@".contains(c);
    text.len() <= 40 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(sound)
}
