//! The calls between nodes that both ends must agree on: which lane each takes, how large it may be, how long
//! it may last, and what its failure becomes.
//!
//! The documents and their bytes are in [`ikigai_wire::rpc`].

mod fault;
pub mod trace;

use crate::mesh::Lane;
use ikigai_wire::api::Command;
use ikigai_wire::peer::{Check, News, Report};
use std::time::Duration;

/// Largest unary request, in bytes.
pub const MAX_REQUEST: usize = 4 << 20;
/// Largest request that carries log lines: [`crate::logs::MAX_APPEND`] of the shortest lines, around which the
/// most stands.
pub const MAX_LINES: usize = 12 << 20;
/// Largest answer, and largest message of a stream.
pub const MAX_ANSWER: usize = 16 << 20;
/// Largest answer of a verb that decides something.
pub const MAX_SHORT_ANSWER: usize = 1 << 20;
/// Largest piece of a pack that is sent.
pub const MAX_PIECE: usize = 64 << 10;
/// How long a call may last that says nothing else, and how long a stream may take to begin.
pub const USUAL: Duration = Duration::from_secs(10);
/// How long a call that carries log lines may last; they may come over a thin line.
pub const OF_LINES: Duration = Duration::from_secs(60);
/// How long a report may last: the objects of a result are fetched before it is answered.
pub const OF_RESULT: Duration = Duration::from_secs(300);
/// How long a command may last: some merge or move a task before they answer.
pub const OF_COMMAND: Duration = Duration::from_secs(90);
/// How long checks may last, and with them any call.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How many bytes each stream of a lane may be ahead of its reader; streams × window fit the connection's.
pub const STREAM_WINDOW: u32 = 128 << 10;
/// How many calls a connection carries at once.
pub const MAX_STREAMS: u32 = 256;
/// How many bytes all streams of a connection may be ahead of their readers.
pub const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MAX_STREAMS;

/// Metadata that names the trace a call belongs to, as W3C Trace Context has it.
pub const TRACEPARENT: &str = "traceparent";

/// Everything a node asks another. Verbs are only added; an older node answers "unimplemented" to a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the verb of `Peer` or `NodeHandle` of that name")]
pub enum Verb {
    Offer,
    Order,
    Report,
    Append,
    Check,
    Pack,
    Copy,
    Roster,
    Snapshot,
    Task,
    Submit,
    Command,
    Steer,
    Logs,
    Events,
    Open,
    Diff,
}

// === impl Verb ===

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 17] = [
        Self::Offer,
        Self::Order,
        Self::Report,
        Self::Append,
        Self::Check,
        Self::Pack,
        Self::Copy,
        Self::Roster,
        Self::Snapshot,
        Self::Task,
        Self::Submit,
        Self::Command,
        Self::Steer,
        Self::Logs,
        Self::Events,
        Self::Open,
        Self::Diff,
    ];

    /// Its path on the wire: service and method.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Offer => "/ikigai.v1.Peer/Offer",
            Self::Order => "/ikigai.v1.Peer/Order",
            Self::Report => "/ikigai.v1.Peer/Report",
            Self::Append => "/ikigai.v1.Peer/Append",
            Self::Check => "/ikigai.v1.Peer/Check",
            Self::Pack => "/ikigai.v1.Peer/Pack",
            Self::Copy => "/ikigai.v1.Peer/Copy",
            Self::Roster => "/ikigai.v1.Peer/Roster",
            Self::Snapshot => "/ikigai.v1.Node/Snapshot",
            Self::Task => "/ikigai.v1.Node/Task",
            Self::Submit => "/ikigai.v1.Node/Submit",
            Self::Command => "/ikigai.v1.Node/Command",
            Self::Steer => "/ikigai.v1.Node/Steer",
            Self::Logs => "/ikigai.v1.Node/Logs",
            Self::Events => "/ikigai.v1.Node/Events",
            Self::Open => "/ikigai.v1.Node/Open",
            Self::Diff => "/ikigai.v1.Node/Diff",
        }
    }

    /// The verb of a path.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.path() == path)
    }

    /// Its name: `Offer`.
    pub fn name(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// The lane it takes; a call that comes on another is refused.
    pub const fn lane(self) -> Lane {
        match self {
            Self::Append | Self::Logs | Self::Events => Lane::Logs,
            Self::Pack => Lane::Files,
            _ => Lane::Control,
        }
    }

    /// Whether its answer is a stream.
    pub const fn streams(self) -> bool {
        matches!(self, Self::Logs | Self::Events | Self::Pack)
    }

    /// Its largest request.
    pub const fn request_limit(self) -> usize {
        match self {
            Self::Append => MAX_LINES,
            _ => MAX_REQUEST,
        }
    }

    /// The longest it is worked on, whatever its caller allows.
    pub const fn longest(self) -> Duration {
        match self {
            Self::Append => OF_LINES,
            Self::Report => OF_RESULT,
            Self::Command => OF_COMMAND,
            Self::Check => LONGEST,
            _ => USUAL,
        }
    }

    /// Its largest answer, or the largest message of its stream.
    pub const fn answer_limit(self) -> usize {
        match self {
            Self::Offer | Self::Order | Self::Report | Self::Append | Self::Steer | Self::Open => {
                MAX_SHORT_ANSWER
            }
            Self::Pack => 16 * MAX_PIECE,
            _ => MAX_ANSWER,
        }
    }
}

/// How long a report may take.
pub fn report_time(report: &Report) -> Duration {
    match &report.news {
        News::Ended(ended) if ended.change.is_some() || ended.saved.is_some() => OF_RESULT,
        _ => USUAL,
    }
}

/// How long checks may take: a minute more than they are held to.
pub fn check_time(check: &Check) -> Duration {
    check.limits.time.saturating_add(Duration::from_secs(60)).min(LONGEST)
}

/// How long a command may take.
pub fn command_time(command: &Command) -> Duration {
    match command {
        Command::Accept { .. } | Command::Adopt { .. } => OF_COMMAND,
        _ => USUAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogLine, MAX_APPEND, MAX_LINE, Stream};
    use ikigai_types::{AttemptId, Epoch, Fence, TaskId, Timestamp};
    use ikigai_wire::peer::{Line, Lines};
    use ikigai_wire::rpc::encode;
    use std::collections::BTreeSet;

    #[test]
    fn each_path_is_that_of_one_verb() {
        let paths: BTreeSet<_> = Verb::ALL.iter().map(|v| v.path()).collect();
        assert_eq!(paths.len(), Verb::ALL.len());
        for verb in Verb::ALL {
            assert_eq!(Verb::of_path(verb.path()), Some(verb));
            assert_eq!(verb.name(), format!("{verb:?}"));
        }
        assert_eq!(Verb::of_path("/ikigai.v1.Peer/"), None);
    }

    #[test]
    fn an_append_as_heavy_as_it_may_be_fits_a_request() {
        let task = TaskId::new("x".repeat(120)).unwrap();
        let attempt = AttemptId { task, number: u32::MAX };
        let fence = Fence { attempt, epoch: Epoch(u64::MAX) };
        let line = |n, text| Line { n, at: Timestamp(1 << 60), stream: "stdout".to_owned(), text };
        for text in ["", "x", &"x".repeat(MAX_LINE)] {
            let logged = |n| LogLine { n, at: Timestamp(0), stream: Stream::Stdout, text: text.to_owned() };
            let count = (MAX_APPEND / logged(1).weight()) as u64;
            let lines = (1 << 60..(1 << 60) + count).map(|n| line(n, text.to_owned())).collect();
            let size = encode(&Lines { fence: fence.clone(), lines }).len();
            assert!(size < MAX_LINES, "{count} lines of {} bytes make {size}", text.len());
        }
    }
}
