//! What the holder of a lease decides about the attempt it runs: when it has gone on too long, and what its
//! end means.

use crate::retry::Reason;
use ikigai_types::{Limits, Timestamp};
use std::time::Duration;

/// The clock of one attempt. Stands still while the attempt is held.
#[derive(Debug, Clone)]
pub struct Watch {
    limits: Limits,
    ran: Duration,
    silent: Duration,
    last: Timestamp,
    held: bool,
}

/// A limit that was passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub reason: Reason,
    /// In a sentence.
    pub detail: String,
}

impl Watch {
    /// Starts at `now`, for an attempt that already `ran` for so long before a restart of its node.
    pub const fn new(limits: Limits, ran: Duration, now: Timestamp) -> Self {
        Self { limits, ran, silent: Duration::ZERO, last: now, held: false }
    }

    /// How long it ran, holds left out.
    pub const fn ran(&self) -> Duration {
        self.ran
    }

    /// It said something or called its model.
    pub fn heard(&mut self, now: Timestamp) {
        self.advance(now);
        self.silent = Duration::ZERO;
    }

    /// It is held from now on, or no longer.
    pub fn hold(&mut self, held: bool, now: Timestamp) {
        self.advance(now);
        self.held = held;
    }

    /// Whether its model was called more often than it may be, with `calls` so far.
    pub fn turned(&self, calls: u64) -> Option<Breach> {
        let most = self.limits.max_turns.filter(|most| calls > *most)?;
        let detail = format!("called its model {calls} times, its limit is {most}");
        Some(Breach { reason: Reason::Turns, detail })
    }

    /// The limit it has passed at `now`, `disk` being what its workspace holds.
    pub fn breach(&mut self, disk: u64, now: Timestamp) -> Option<Breach> {
        self.advance(now);
        let l = &self.limits;
        let breach = |reason, detail| Some(Breach { reason, detail });
        if self.ran >= l.time {
            return breach(Reason::Time, format!("ran for its limit of {} s", l.time.as_secs()));
        }
        if self.silent >= l.stall {
            return breach(Reason::Stall, format!("was silent for {} s", l.stall.as_secs()));
        }
        if disk > l.disk_bytes {
            return breach(
                Reason::Disk,
                format!("its workspace holds {disk} bytes, its limit is {}", l.disk_bytes),
            );
        }
        None
    }

    fn advance(&mut self, now: Timestamp) {
        let passed = now.since(self.last);
        self.last = now;
        if !self.held {
            self.ran += passed;
            self.silent += passed;
        }
    }
}

/// How a workload ended, as its executor and agentd tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// Exit code agentd gave for the program, if it got that far.
    pub program: Option<i32>,
    /// What agentd could not do, when the program never started.
    pub program_error: Option<String>,
    /// Exit code of the workload's first process.
    pub workload: i32,
    /// The kernel ended its first process for want of memory.
    pub out_of_memory: bool,
    /// What the executor adds.
    pub detail: Option<String>,
}

/// What an end means: `None` for a success, else the reason and a sentence. `stopped` is why the holder
/// ended it, if it did.
pub fn judge(end: &End, stopped: Option<&Breach>) -> Option<Breach> {
    let breach = |reason, detail: String| Some(Breach { reason, detail });
    if let Some(stopped) = stopped {
        return Some(stopped.clone());
    }
    if end.out_of_memory {
        return breach(Reason::OutOfMemory, "the kernel ended it for want of memory".to_owned());
    }
    if let Some(error) = &end.program_error {
        return breach(Reason::Host, error.clone());
    }
    match (end.program, end.workload) {
        (Some(0), _) => None,
        (Some(code), _) => breach(Reason::Agent, format!("the agent exited with {code}")),
        (None, code) => {
            let detail = end.detail.clone().unwrap_or_else(|| "agentd was killed".to_owned());
            breach(Reason::Host, format!("the workload ended with {code}: {detail}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            time: Duration::from_secs(100),
            stall: Duration::from_secs(10),
            disk_bytes: 5,
            ..Limits::default()
        }
    }

    #[test]
    fn the_clock_stands_while_it_is_held() {
        let mut w = Watch::new(limits(), Duration::from_secs(90), Timestamp(0));
        w.hold(true, Timestamp(1000));
        assert_eq!(w.breach(0, Timestamp(600_000)), None);
        w.hold(false, Timestamp(600_000));
        w.heard(Timestamp(605_000));
        assert_eq!(w.ran(), Duration::from_secs(96));
        assert_eq!(w.breach(0, Timestamp(609_000)).map(|b| b.reason), Some(Reason::Time));
    }

    #[test]
    fn silence_and_disk_are_told_apart() {
        let mut w = Watch::new(limits(), Duration::ZERO, Timestamp(0));
        assert_eq!(w.breach(5, Timestamp(9_999)), None);
        assert_eq!(w.breach(6, Timestamp(9_999)).map(|b| b.reason), Some(Reason::Disk));
        assert_eq!(w.breach(0, Timestamp(10_000)).map(|b| b.reason), Some(Reason::Stall));
    }

    #[test]
    fn turns_are_bounded_only_when_a_limit_is_set() {
        let watch = |max_turns| Watch::new(Limits { max_turns, ..limits() }, Duration::ZERO, Timestamp(0));
        assert_eq!(watch(None).turned(u64::MAX), None);
        assert_eq!(watch(Some(3)).turned(3), None, "the last one it may make");
        let breach = watch(Some(3)).turned(4).unwrap();
        assert_eq!(
            (breach.reason, &*breach.detail),
            (Reason::Turns, "called its model 4 times, its limit is 3")
        );
    }

    #[test]
    fn an_end_means_one_thing() {
        let reason = |end: &End| judge(end, None).map(|b| b.reason);
        assert_eq!(reason(&End { program: Some(0), ..End::default() }), None);
        assert_eq!(reason(&End { program: Some(2), workload: 2, ..End::default() }), Some(Reason::Agent));
        assert_eq!(
            reason(&End { workload: 137, out_of_memory: true, ..End::default() }),
            Some(Reason::OutOfMemory)
        );
        assert_eq!(reason(&End { workload: 137, ..End::default() }), Some(Reason::Host));
        let never = End { program: Some(127), program_error: Some("no codex".to_owned()), ..End::default() };
        assert_eq!(reason(&never), Some(Reason::Host));
        let stopped = Breach { reason: Reason::Stall, detail: String::new() };
        assert_eq!(judge(&End::default(), Some(&stopped)), Some(stopped));
    }
}
