//! The published states of a task, and the only moves between them.

use crate::retry::Reason;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "kebab-case")]
pub enum TaskState {
    /// It may run as soon as it is placed; a back-off may hold it.
    Queued,
    /// A node is being looked for.
    Placing,
    /// A node holds its lease and makes workspace and container ready.
    Preparing,
    /// Its agent runs.
    Running,
    /// Its patch is opened and its checks are run again from a clean checkout.
    Verifying,
    /// A person decides; an accepted patch is being merged.
    Review,
    /// Merged. Final.
    Accepted,
    /// A person refused its patch.
    Rejected,
    /// A person holds it; the lease is kept and the clock stands.
    Paused,
    /// It cannot go on by itself yet.
    Waiting(WaitReason),
    /// Its attempts are used up, or trying again would not help.
    Failed(Reason),
    /// Its node went away too often.
    Lost,
    /// A person ended it; a retry starts it again.
    Cancelled,
}

/// What a waiting task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// An answer of a person.
    Human,
    /// The provider's quota to reset.
    Quota,
    /// Money.
    Budget,
    /// A credential no node has.
    Credential,
    /// Other tasks to be accepted.
    Dependency,
    /// A node with room, tag, image or adapter.
    Capacity,
}

/// The published table: each state by name, and the names it may move to.
pub struct Moves;

impl Moves {
    /// All of it. To review leads every state in which an earlier result may be merged on the forge meanwhile.
    pub const TABLE: &'static [(&'static str, &'static [&'static str])] = &[
        ("queued", &["placing", "preparing", "running", "review", "waiting", "paused", "cancelled"]),
        (
            "placing",
            &["preparing", "running", "review", "waiting", "queued", "paused", "failed", "cancelled"],
        ),
        (
            "preparing",
            &["running", "verifying", "review", "queued", "failed", "lost", "paused", "waiting", "cancelled"],
        ),
        (
            "running",
            &[
                "preparing",
                "verifying",
                "review",
                "queued",
                "failed",
                "lost",
                "paused",
                "waiting",
                "cancelled",
            ],
        ),
        ("verifying", &["review", "queued", "failed", "cancelled"]),
        ("review", &["accepted", "rejected", "queued", "failed", "cancelled"]),
        ("accepted", &[]),
        ("rejected", &["queued", "cancelled"]),
        (
            "paused",
            &[
                "queued",
                "preparing",
                "running",
                "waiting",
                "verifying",
                "review",
                "failed",
                "lost",
                "cancelled",
            ],
        ),
        (
            "waiting",
            &[
                "queued",
                "preparing",
                "running",
                "verifying",
                "review",
                "paused",
                "failed",
                "lost",
                "cancelled",
            ],
        ),
        ("failed", &["review", "queued", "cancelled"]),
        ("lost", &["queued", "cancelled"]),
        ("cancelled", &["queued"]),
    ];

    /// Whether a task may go from `from` to `to`. Staying is always allowed.
    pub fn allows(from: TaskState, to: TaskState) -> bool {
        let row = Self::TABLE.iter().find(|(name, _)| *name == from.name());
        from.name() == to.name() || row.is_some_and(|(_, next)| next.contains(&to.name()))
    }
}

impl TaskState {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Placing => "placing",
            Self::Preparing => "preparing",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Review => "review",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Paused => "paused",
            Self::Waiting(_) => "waiting",
            Self::Failed(_) => "failed",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }

    /// The word in brackets, where there is one.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Waiting(w) => Some(w.name()),
            Self::Failed(r) => Some(r.name()),
            _ => None,
        }
    }

    /// Nothing more will happen to it unless a person asks.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Accepted | Self::Rejected | Self::Failed(_) | Self::Lost | Self::Cancelled)
    }
}

impl WaitReason {
    /// The word in brackets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Quota => "quota",
            Self::Budget => "budget",
            Self::Credential => "credential",
            Self::Dependency => "dependency",
            Self::Capacity => "capacity",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{}({reason})", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_only_states_it_has() {
        let names: Vec<_> = Moves::TABLE.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), 13);
        for (from, next) in Moves::TABLE {
            assert!(next.iter().all(|n| names.contains(n) && n != from), "{from}");
        }
    }

    #[test]
    fn what_is_accepted_stays_accepted() {
        assert!(!Moves::allows(TaskState::Accepted, TaskState::Queued));
        assert!(Moves::allows(TaskState::Review, TaskState::Accepted));
        assert!(!Moves::allows(TaskState::Running, TaskState::Accepted));
        assert_eq!(TaskState::Waiting(WaitReason::Quota).to_string(), "waiting(quota)");
    }
}
