//! What becomes of an attempt whose node goes silent: Nomad's words.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a task wants done when the holder of its lease does not renew it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disconnect {
    /// Seconds that the silent holder may come back within, beyond the end of its lease; its agent may go on
    /// for as long.
    pub lost_after_secs: u64,
    /// Another attempt is made meanwhile, and when it is lost. Without it a silent holder is waited for, and
    /// the task is lost with it.
    pub replace: bool,
    /// Which of the two is kept when the first comes back while its replacement runs.
    pub reconcile: Reconcile,
}

impl Default for Disconnect {
    fn default() -> Self {
        Self { lost_after_secs: 0, replace: true, reconcile: Reconcile::BestScore }
    }
}

impl Disconnect {
    /// How long a silent holder is waited for beyond its lease.
    pub const fn lost_after(&self) -> Duration {
        Duration::from_secs(self.lost_after_secs)
    }
}

/// Which of two attempts is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reconcile {
    /// The first.
    KeepOriginal,
    /// The later one.
    KeepReplacement,
    /// The one whose node placement thought better of; of equal ones the first.
    #[default]
    BestScore,
    /// The one whose agent has run for longer; of equal ones the first.
    LongestRunning,
}

impl Reconcile {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::KeepOriginal, Self::KeepReplacement, Self::BestScore, Self::LongestRunning];

    /// The word people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeepOriginal => "keep_original",
            Self::KeepReplacement => "keep_replacement",
            Self::BestScore => "best_score",
            Self::LongestRunning => "longest_running",
        }
    }
}

impl fmt::Display for Reconcile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that says not which attempt is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of keep_original, keep_replacement, best_score and longest_running")]
pub struct InvalidReconcile(String);

impl FromStr for Reconcile {
    type Err = InvalidReconcile;

    fn from_str(s: &str) -> Result<Self, InvalidReconcile> {
        let word = s.trim().replace('-', "_");
        let named = Self::ALL.into_iter().find(|r| r.name() == word);
        named.ok_or_else(|| InvalidReconcile(s.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_what_they_print() {
        for one in Reconcile::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
            assert_eq!(serde_json::to_string(&one).unwrap(), format!("\"{one}\""));
        }
        assert_eq!("keep-original".parse(), Ok(Reconcile::KeepOriginal));
        assert!("both".parse::<Reconcile>().is_err());
    }
}
