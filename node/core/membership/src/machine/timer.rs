//! What is due when. A timer that lost its reason fires into nothing.

use super::{Turn, millis};
use crate::book::Place;
use ikigai_types::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Why to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A neighbour may have been silent for long.
    Check(Place),
    /// An answer is late.
    Probe(Place),
    /// One that this node suspects is asked again, or given up.
    Retry(Place),
    /// One that is said to be dead had its time to contradict.
    LastWord(Place),
    /// An announced record is not there yet.
    Missing(Place),
    /// One that was asked for another has not answered yet.
    Nack(u32),
    /// Announcements have waited long enough.
    Lazy,
    /// A refutation was held back.
    Refute,
    /// Look for one that is dead.
    Seek,
    /// Compare tables with someone.
    Sync,
    /// Repeat this node's record.
    Heartbeat,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, Timer)>>,
    /// When the record is repeated: earlier timers are left over from before it was sent anew.
    pub(super) heartbeat: Timestamp,
    /// Whether [`Timer::Lazy`] is set, and for when.
    pub(super) lazy: Option<Timestamp>,
    /// The next [`Timer::Sync`].
    pub(super) sync: Timestamp,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

impl Turn<'_> {
    /// Sets a timer, `wait` milliseconds from now.
    pub(super) fn set(&mut self, timer: Timer, wait: u64) {
        let at = Timestamp(self.now.0.saturating_add(wait));
        if timer == Timer::Sync {
            self.m.timers.sync = at;
        }
        self.m.timers.heap.push(Reverse((at, timer)));
    }

    /// Whether the driver, the process or the machine slept: then others were not late, this node was.
    pub(super) fn notice_pause(&mut self) {
        let late = self.m.timers.next().map_or(0, |due| self.now.0.saturating_sub(due.0));
        if late <= millis(self.m.config.probe_timeout) {
            return;
        }
        self.worse(2);
        self.m.overlay.excuse(late);
        self.m.probes.values_mut().for_each(|probe| probe.deadline.0 += late);
        self.m.suspicions.values_mut().for_each(|suspicion| suspicion.since.0 += late);
    }

    /// What is due.
    pub(super) fn fire(&mut self) {
        while let Some(Reverse((at, timer))) = self.m.timers.heap.peek().copied() {
            if at > self.now || self.m.phase == super::Phase::Left {
                break;
            }
            self.m.timers.heap.pop();
            self.due(at, timer);
        }
    }

    fn due(&mut self, at: Timestamp, timer: Timer) {
        match timer {
            Timer::Check(place) => self.check(place, at),
            Timer::Probe(place) => self.probe_due(place),
            Timer::Retry(place) => self.retry(place),
            Timer::LastWord(place) => self.believe(place),
            Timer::Missing(place) => self.fetch(place),
            Timer::Nack(seq) => self.nack(seq),
            Timer::Lazy => self.flush_lazy(at),
            Timer::Refute => self.refute_late(),
            Timer::Seek => self.seek(),
            Timer::Sync if at == self.m.timers.sync => self.sync_due(),
            Timer::Heartbeat if at == self.m.timers.heartbeat => self.repeat(),
            Timer::Sync | Timer::Heartbeat => {}
        }
    }
}
