//! A user.

use crate::{Hash, Role};
use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};

/// Somebody who may do something, beside who runs the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The Linux user it is over the Unix socket for everybody.
    #[serde(default)]
    pub linux: Option<String>,
    /// What an identity provider calls it.
    #[serde(default)]
    pub subject: Option<String>,
    /// When it was added.
    pub created: Timestamp,
}

impl User {
    /// A user for somebody whom an identity provider knows, called after the address that it verified, else after a
    /// hash of what it calls them.
    pub fn known_as(subject: &str, email: Option<&str>, role: Role, created: Timestamp) -> Self {
        let address = email.map(str::to_ascii_lowercase).filter(|e| name(e));
        let called = address.unwrap_or_else(|| format!("oidc-{}", Hash::of(subject).id()));
        Self { name: called, role, linux: None, subject: Some(subject.to_owned()), created }
    }
}

/// Whether a user can be called `text`: nothing that looks like something else in a log, a path or a policy.
pub fn name(text: &str) -> bool {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@".contains(c);
    text.len() <= 40 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(sound)
}

/// Whether `text` can name a Linux user. One without a name is `uid:` and its number; no name has a colon. 65534 is
/// what the kernel says of everybody it cannot tell apart, so it is nobody.
pub fn linux(text: &str) -> bool {
    let is_name =
        |t: &str| !t.is_empty() && !t.chars().any(|c| c == ':' || c.is_whitespace() || c.is_control());
    let is_number = |n: &str| n.parse::<u32>().is_ok_and(|uid| uid != 65_534 && uid.to_string() == n);
    text.len() <= 256 && text.strip_prefix("uid:").map_or_else(|| is_name(text), is_number)
}
