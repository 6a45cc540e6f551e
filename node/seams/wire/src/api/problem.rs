//! The one error document: what happened, and what to do.

use serde::{Deserialize, Serialize};

/// An error as every surface shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{message}")]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What kind, for programs.
    pub code: Code,
    /// What happened, for people: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The request it answers, to be found in the node's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Kinds of errors; each has one exit code and one HTTP status for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Something failed.
    Failed,
    /// The request cannot be understood.
    Usage,
    /// It is not there.
    NotFound,
    /// Who asks is not known.
    Unauthenticated,
    /// Policy or budget forbids it.
    Denied,
    /// Stale epoch, lost compare-and-swap, illegal move.
    Conflict,
    /// The node cannot be reached.
    Unreachable,
    /// It took too long.
    TimedOut,
}

impl Code {
    /// The exit code of the command line.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Unauthenticated => 4,
            Self::Denied => 5,
            Self::Conflict => 6,
            Self::Unreachable => 7,
            Self::TimedOut => 8,
        }
    }

    /// The HTTP status.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Failed => 500,
            Self::Usage => 400,
            Self::NotFound => 404,
            Self::Unauthenticated => 401,
            Self::Denied => 403,
            Self::Conflict => 409,
            Self::Unreachable => 503,
            Self::TimedOut => 504,
        }
    }
}

impl Problem {
    /// A problem with advice.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: Some(hint.into()), request_id: None }
    }

    /// A problem there is no advice for.
    pub fn plain(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, request_id: None }
    }
}
