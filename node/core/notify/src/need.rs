//! What of a task waits for a person.

use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why somebody has to look at a task or a node. What comes first in this order is the more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The agent asks something and waits for the answer.
    Answer,
    /// It may not spend more.
    Budget,
    /// No node has a credential it needs.
    Credential,
    /// It gave up.
    Failed,
    /// Its node went silent too often.
    Lost,
    /// A node went silent.
    NodeLost,
    /// Its patch can be reviewed.
    Review,
}

/// One thing that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Why.
    pub need: Need,
    /// Id of the task or node.
    pub about: String,
    /// What people call it: `T012`, `server`.
    pub name: String,
    /// One line for people.
    pub text: String,
    /// Which of several: the same need after another attempt is another occurrence.
    pub turn: u64,
    /// Since when.
    pub since: Timestamp,
}

impl Item {
    /// Whether both are one occurrence, however it is worded now.
    pub fn is(&self, other: &Self) -> bool {
        (self.need, &self.about, self.turn) == (other.need, &other.about, other.turn)
    }
}

impl Need {
    /// Every one, most urgent first.
    pub const ALL: [Self; 7] = [
        Self::Answer,
        Self::Budget,
        Self::Credential,
        Self::Failed,
        Self::Lost,
        Self::NodeLost,
        Self::Review,
    ];

    /// What a task of `state(reason)` of the published table needs of a person; `None` when it goes on by itself, a
    /// person holds it already, or it is done.
    pub fn of(state: &str, reason: Option<&str>) -> Option<Self> {
        match (state, reason) {
            ("waiting", Some("human")) => Some(Self::Answer),
            ("waiting", Some("budget")) => Some(Self::Budget),
            ("waiting", Some("credential")) => Some(Self::Credential),
            ("failed", _) => Some(Self::Failed),
            ("lost", _) => Some(Self::Lost),
            ("review", _) => Some(Self::Review),
            _ => None,
        }
    }

    /// Its name in configuration and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Budget => "budget",
            Self::Credential => "credential",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::NodeLost => "node-lost",
            Self::Review => "review",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_needed_where_nothing_goes_on_without_one() {
        for (state, reason, need) in [
            ("waiting", Some("human"), Some(Need::Answer)),
            ("waiting", Some("budget"), Some(Need::Budget)),
            ("waiting", Some("credential"), Some(Need::Credential)),
            ("waiting", Some("quota"), None),
            ("waiting", Some("dependency"), None),
            ("failed", Some("agent"), Some(Need::Failed)),
            ("lost", None, Some(Need::Lost)),
            ("review", None, Some(Need::Review)),
            ("paused", None, None),
            ("running", None, None),
            ("accepted", None, None),
            ("something newer", None, None),
        ] {
            assert_eq!(Need::of(state, reason), need, "{state} {reason:?}");
        }
        assert!(Need::ALL.is_sorted());
    }
}
