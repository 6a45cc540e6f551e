//! Who may use a node: users, tokens, sessions, share links.

use ikigai_types::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// Its name.
    pub name: String,
    /// `viewer`, `operator`, `reviewer`, `admin`.
    pub role: String,
    /// The Linux user it is over the Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<String>,
    /// What the identity provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A new user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UserRequest {
    /// Its name: lower-case letters, digits and `.-_@`.
    pub name: String,
    /// `viewer`, `operator`, `reviewer`, `admin`.
    pub role: String,
    /// The Linux user it is over the Unix socket.
    pub linux: Option<String>,
    /// What the identity provider calls it.
    pub subject: Option<String>,
}

/// What is to change of a user; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UserChange {
    /// Its role from now on.
    pub role: Option<String>,
    /// Its Linux user; an empty text: none.
    pub linux: Option<String>,
    /// What the identity provider calls it; an empty text: nothing.
    pub subject: Option<String>,
}

/// A new token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TokenRequest {
    /// What it is for.
    pub name: String,
    /// What its holder may be at most: `viewer`, `operator`, `reviewer`, `admin`.
    pub role: String,
    /// Seconds it works: a week when absent, at most a year.
    pub ttl_seconds: Option<u64>,
    /// Whose it is; whoever asks when absent.
    pub user: Option<String>,
}

/// A new share link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ShareRequest {
    /// What it is for.
    pub name: String,
    /// Seconds it works: a day when absent, at most a year.
    pub ttl_seconds: Option<u64>,
}

/// Something that lets its holder in: a token, a session, a share link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PassView {
    /// Its id, to take it back by.
    pub id: String,
    /// `token`, `session`, `share`.
    #[serde(rename = "type")]
    pub what: String,
    /// Whose it is.
    pub user: String,
    /// What its holder may be at most.
    pub role: String,
    /// What it is for; of a session, the browser.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// It works until then.
    pub expires_at: Timestamp,
    /// The one task it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// What its holder sends; in the answer that made it and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The link for a browser; in the answer that made it and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
