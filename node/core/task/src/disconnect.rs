//! Which of two attempts is kept when a silent holder is heard again while its replacement runs. The whole
//! table is in docs/disconnect.md.

use crate::attempt::Attempt;
use ikigai_types::{Reconcile, Timestamp};
use std::time::Duration;

/// What counts of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// Its number: the lower one is the original.
    pub number: u32,
    /// What placement thought of its node.
    pub score: Option<u32>,
    /// How long its agent has run.
    pub ran: Duration,
}

impl Side {
    /// What counts of `attempt` at `now`.
    pub fn of(attempt: &Attempt, now: Timestamp) -> Self {
        Self { number: attempt.number(), score: attempt.score(), ran: attempt.ran(now) }
    }
}

/// Whether `one` is kept, and not `other`. Exactly one of the two always is.
pub fn keeps(reconcile: Reconcile, one: &Side, other: &Side) -> bool {
    let first = one.number < other.number;
    match reconcile {
        Reconcile::KeepOriginal => first,
        Reconcile::KeepReplacement => !first,
        Reconcile::BestScore if one.score == other.score => first,
        Reconcile::BestScore => one.score > other.score,
        Reconcile::LongestRunning if one.ran == other.ran => first,
        Reconcile::LongestRunning => one.ran > other.ran,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first attempt with this score and these seconds, against the second with 500 and 60.
    fn first_is_kept(reconcile: Reconcile, score: Option<u32>, ran: u64) -> bool {
        let side = |number, score, ran| Side { number, score, ran: Duration::from_secs(ran) };
        let (first, second) = (side(1, score, ran), side(2, Some(500), 60));
        let kept = keeps(reconcile, &first, &second);
        assert_ne!(kept, keeps(reconcile, &second, &first), "exactly one is kept, whoever comes back");
        kept
    }

    #[test]
    fn the_table_of_words() {
        use Reconcile::{BestScore, KeepOriginal, KeepReplacement, LongestRunning};
        for (reconcile, score, ran, kept) in [
            (KeepOriginal, Some(1), 0, true),
            (KeepReplacement, Some(900), 900, false),
            (BestScore, Some(501), 0, true),
            (BestScore, Some(500), 0, true),
            (BestScore, Some(499), 900, false),
            (BestScore, None, 900, false),
            (LongestRunning, Some(1), 61, true),
            (LongestRunning, Some(1), 60, true),
            (LongestRunning, Some(900), 59, false),
        ] {
            assert_eq!(first_is_kept(reconcile, score, ran), kept, "{reconcile} {score:?} {ran}");
        }
    }
}
