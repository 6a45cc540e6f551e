//! Why attempts end without a result, and when the next one may start.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Why an attempt ended without an accepted result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The node could not run it: image, container, workspace, forge.
    Host,
    /// The agent ended with an error.
    Agent,
    /// The agent ended well and committed nothing.
    NoChange,
    /// The provider's quota is used up.
    Quota,
    /// It did or wanted what policy forbids.
    Policy,
    /// It was silent for too long.
    Stall,
    /// It ran longer than it may.
    Time,
    /// It called its model more often than it may.
    Turns,
    /// It wrote more than it may.
    Disk,
    /// The kernel ended it for want of memory.
    OutOfMemory,
    /// Its result did not pass its checks.
    CheckFailed,
    /// Its result does not merge with what was accepted since.
    Conflict,
    /// Its lease ran out: the node went silent.
    Lost,
    /// Someone took it off its node.
    Evicted,
    /// Its node was emptied.
    Drained,
    /// Another attempt of the task is kept in its place.
    Superseded,
    /// A person ended it.
    Stopped,
}

impl Reason {
    /// The word people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Agent => "agent",
            Self::NoChange => "no-change",
            Self::Quota => "quota",
            Self::Policy => "policy",
            Self::Stall => "stall",
            Self::Time => "time",
            Self::Turns => "turns",
            Self::Disk => "disk",
            Self::OutOfMemory => "oom",
            Self::CheckFailed => "check-failed",
            Self::Conflict => "conflict",
            Self::Lost => "lost",
            Self::Evicted => "evicted",
            Self::Drained => "drained",
            Self::Superseded => "superseded",
            Self::Stopped => "stopped",
        }
    }

    /// Whose fault it is: the agent's use up its attempts; the machine's have a count of their own; the
    /// rest are nobody's and burn nothing.
    pub const fn blame(self) -> Blame {
        match self {
            Self::Agent
            | Self::NoChange
            | Self::Stall
            | Self::Time
            | Self::Turns
            | Self::Disk
            | Self::OutOfMemory
            | Self::CheckFailed
            | Self::Conflict => Blame::Agent,
            Self::Host | Self::Lost => Blame::Machine,
            Self::Quota | Self::Evicted | Self::Drained | Self::Superseded => Blame::Nobody,
            Self::Policy | Self::Stopped => Blame::Final,
        }
    }
}

impl Reason {
    /// Whether the next attempt goes on from what was saved of this one. It does when the attempt was cut short
    /// from outside or by a limit. It does not when what it made was judged, or when its agent gave up: a new
    /// start from the project's own state is worth more than a tree that is known to be wrong.
    pub const fn resumes(self) -> bool {
        match self {
            Self::Host
            | Self::Stall
            | Self::Time
            | Self::Turns
            | Self::OutOfMemory
            | Self::Lost
            | Self::Evicted
            | Self::Drained
            | Self::Superseded => true,
            Self::Agent
            | Self::NoChange
            | Self::Quota
            | Self::Policy
            | Self::Disk
            | Self::CheckFailed
            | Self::Conflict
            | Self::Stopped => false,
        }
    }

    /// Whether the next attempt's agent goes on with the session this one had. It does when the session was cut short
    /// or its work was sent back: it knows what it did. It does not when the session itself may be at fault (it ended
    /// with an error, filled the disk, went round in circles) or a person ended it.
    pub const fn keeps_session(self) -> bool {
        match self {
            Self::Host
            | Self::NoChange
            | Self::Quota
            | Self::Stall
            | Self::Time
            | Self::OutOfMemory
            | Self::CheckFailed
            | Self::Conflict
            | Self::Lost
            | Self::Evicted
            | Self::Drained
            | Self::Superseded => true,
            Self::Agent | Self::Policy | Self::Turns | Self::Disk | Self::Stopped => false,
        }
    }
}

/// Who pays for a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The task's attempts.
    Agent,
    /// The count of machine faults.
    Machine,
    /// Nobody.
    Nobody,
    /// No further attempt would help.
    Final,
}

/// Lengths and limits of the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a lease is good for without being renewed.
    pub lease: Duration,
    /// Back-off after the first fault; doubles with each further one.
    pub backoff: Duration,
    /// The longest back-off.
    pub backoff_max: Duration,
    /// Pause before an attempt that follows from feedback or a move (checks, conflict, eviction, drain).
    pub continuation: Duration,
    /// Machine faults a task may meet.
    pub machine_faults: u32,
    /// Turns that notes on a task's patch may begin before a person has to decide.
    pub note_turns: u32,
    /// How long a task that found no node waits before it looks again without being told.
    pub look_again: Duration,
    /// How often what a running attempt used is written down; a crash forgets no more than that of one whose holder
    /// never comes back.
    pub used_every: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            backoff: Duration::from_secs(10),
            backoff_max: Duration::from_secs(300),
            continuation: Duration::from_secs(1),
            machine_faults: 5,
            note_turns: 20,
            look_again: Duration::from_secs(30),
            used_every: Duration::from_secs(60),
        }
    }
}

impl Policy {
    /// How long to wait before the attempt after the `faults`-th fault, the last of which was `reason`.
    pub fn delay(&self, reason: Reason, faults: u32) -> Duration {
        match reason {
            Reason::CheckFailed | Reason::Conflict | Reason::Evicted | Reason::Drained | Reason::Quota => {
                self.continuation
            }
            _ => self.doubled(faults),
        }
    }

    /// `backoff · 2^(tries − 1)`, at most `backoff_max`.
    pub fn doubled(&self, tries: u32) -> Duration {
        let factor = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff.checked_mul(factor).map_or(self.backoff_max, |d| d.min(self.backoff_max))
    }

    /// When a holder should have renewed at the latest: the lease less its margin of max(2 s, 20 %).
    pub fn renew_within(&self) -> Duration {
        self.lease.saturating_sub((self.lease / 5).max(Duration::from_secs(2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_its_bound() {
        let p = Policy::default();
        let secs: Vec<_> = (1..=7).map(|n| p.delay(Reason::Agent, n).as_secs()).collect();
        assert_eq!(secs, [10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(p.delay(Reason::Agent, u32::MAX).as_secs(), 300);
        assert_eq!(p.delay(Reason::CheckFailed, 3).as_secs(), 1);
    }

    #[test]
    fn margin_is_a_fifth_and_at_least_two_seconds() {
        let with = |s| Policy { lease: Duration::from_secs(s), ..Policy::default() }.renew_within().as_secs();
        assert_eq!(with(30), 24);
        assert_eq!(with(5), 3);
    }
}
