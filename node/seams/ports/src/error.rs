//! One error for every port: its variants say what the caller can do.

use std::time::Duration;

/// The vendor's own error, kept as the source.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What a port answers.
pub type PortResult<T> = Result<T, PortError>;

/// Why a port did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It is not there; asking again changes nothing.
    #[error("{0} not found")]
    NotFound(String),
    /// It was understood and will not be done; the text says what to change.
    #[error("{0}")]
    Refused(String),
    /// Someone else was first (compare-and-swap, stale epoch); read again, then decide.
    #[error("{0}")]
    Conflict(String),
    /// The other side cannot answer now; the same call may work after `retry_after`.
    #[error("{what} is unavailable")]
    Unavailable {
        /// What is away.
        what: String,
        /// When to ask again, if that is known.
        retry_after: Option<Duration>,
        /// The vendor's error.
        #[source]
        source: Option<Source>,
    },
    /// What was read is not what was written; a person must look.
    #[error("{0} is corrupt")]
    Corrupt(String),
    /// This backend cannot do it at all.
    #[error("{0} is not supported by this backend")]
    Unsupported(&'static str),
    /// Anything else that went wrong in `what`.
    #[error("{what}")]
    Failed {
        /// What was being done.
        what: String,
        /// The vendor's error.
        #[source]
        source: Source,
    },
}

impl PortError {
    /// `what` failed because of `source`.
    pub fn failed(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Failed { what: what.into(), source: source.into() }
    }

    /// `what` cannot be reached because of `source`.
    pub fn unavailable(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Unavailable { what: what.into(), retry_after: None, source: Some(source.into()) }
    }

    /// This error and each of its causes, `: ` between them, for people and for records.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}
