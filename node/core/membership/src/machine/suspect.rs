//! Who does not answer is suspect, says that it lives, or is dead.
//!
//! Whoever failed to reach a node tells everyone. The node itself hears it with the next question, raises its
//! incarnation and tells everyone. Only those who failed to reach it themselves end its time, and they go on
//! asking until then; the time is the shorter the more of them there are.

use super::{Turn, millis};
use crate::book::Place;
use crate::frame::Part;
use crate::machine::timer::Timer;
use crate::member::Liveness;
use ikigai_types::Timestamp;

/// Between two refutations, in milliseconds: a liar cannot make this node raise its number faster.
const REFUTE_EVERY: u64 = 200;

#[derive(Debug)]
pub(super) struct Suspicion {
    pub(super) since: Timestamp,
    /// Who suspects, as far as it was heard of; bounded by [`by_max`].
    by: Vec<Place>,
    /// This node failed to reach it.
    mine: bool,
    /// It gave a sign of life since.
    pub(super) answered: bool,
    /// Someone says that it is dead.
    doomed: bool,
}

impl Turn<'_> {
    /// This node failed to reach `about`.
    pub(super) fn suspect(&mut self, about: Place) {
        let here = self.m.here;
        if self.m.row(about).is_none_or(|row| row.is_dead()) {
            return;
        }
        self.accuse(about, here, false, None);
        let Some(suspicion) = self.m.suspicions.get_mut(&about) else { return };
        if !std::mem::replace(&mut suspicion.mine, true) {
            suspicion.answered = false;
            self.set(Timer::Retry(about), millis(self.m.config.retry_every));
        }
        self.ping(about, 0);
    }

    /// `by` suspects `about`, or says that it is dead: told on if it is news.
    fn accuse(&mut self, about: Place, by: Place, dead: bool, from: Option<Place>) {
        let Some(row) = self.m.row(about) else { return };
        let incarnation = row.incarnation;
        let enough = 1 + self.m.config.confirmations.max(1);
        let since = self.now;
        let news = !self.m.suspicions.contains_key(&about);
        let suspicion = self.m.suspicions.entry(about).or_insert_with(|| Suspicion {
            since,
            by: Vec::new(),
            mine: false,
            answered: false,
            doomed: false,
        });
        if suspicion.by.contains(&by) || suspicion.by.len() >= enough {
            return;
        }
        suspicion.by.push(by);
        if news {
            self.set_liveness(about, Liveness::Suspect);
            self.set(Timer::Fallback(about), 2 * millis(self.m.config.suspicion_max));
        }
        self.flood(Part::Rumour { about, incarnation, dead, by }, from);
    }

    /// How long `about` has, from the moment it was suspected.
    fn patience(&self, suspicion: &Suspicion) -> u64 {
        let (min, max) = (millis(self.m.config.suspicion_min), millis(self.m.config.suspicion_max));
        let wanted = self.m.config.confirmations.min(self.m.alive);
        let confirmed = suspicion.by.len().saturating_sub(1).min(wanted);
        // Lifeguard's curve: the first confirmation shortens the time most.
        let part = if wanted == 0 { 1000 } else { LOG[confirmed.min(8)] * 1000 / LOG[wanted.min(8)] };
        max - max.saturating_sub(min) * part / 1000
    }

    /// Asks a suspect again, or ends its time.
    pub(super) fn retry(&mut self, about: Place) {
        let Some(suspicion) = self.m.suspicions.get(&about).filter(|suspicion| suspicion.mine) else {
            return;
        };
        let end = suspicion.since.0 + self.patience(suspicion) * (2 + u64::from(self.m.health)) / 2;
        if suspicion.answered {
            // It lives: whether it is to be alive is for itself to say, and for those it does not answer.
            if let Some(suspicion) = self.m.suspicions.get_mut(&about) {
                suspicion.mine = false;
            }
            self.ping(about, 0);
        } else if self.now.0 >= end {
            self.bury(about, self.m.here, None);
        } else {
            self.set(Timer::Retry(about), millis(self.m.config.retry_every));
            let seq = self.next_seq();
            self.ping(about, seq);
        }
    }

    /// Someone says that `about` is dead. A liar may, so it has a moment to contradict even then.
    fn doom(&mut self, about: Place, by: Place, from: Place) {
        self.accuse(about, by, true, Some(from));
        let moment = millis(self.m.config.suspicion_min) / 2;
        let now = self.now.0;
        let Some(suspicion) = self.m.suspicions.get_mut(&about) else { return };
        if now >= suspicion.since.0 + moment {
            self.bury(about, by, Some(from));
        } else if !std::mem::replace(&mut suspicion.doomed, true) {
            let wait = suspicion.since.0 + moment - now;
            self.set(Timer::Fallback(about), wait);
        }
    }

    /// A doomed one did not contradict; or nobody said what became of a suspect: what was said last holds.
    pub(super) fn fallback(&mut self, about: Place) {
        let long = 2 * millis(self.m.config.suspicion_max);
        let moment = millis(self.m.config.suspicion_min) / 2;
        let Some(suspicion) = self.m.suspicions.get(&about) else { return };
        let patience = if suspicion.doomed && !suspicion.answered { moment } else { long };
        let end = suspicion.since.0 + patience;
        if self.now.0 < end {
            self.set(Timer::Fallback(about), end - self.now.0);
        } else if suspicion.answered {
            self.set_liveness(about, Liveness::Alive);
        } else {
            self.bury(about, self.m.here, None);
        }
    }

    fn bury(&mut self, about: Place, by: Place, from: Option<Place>) {
        let Some(row) = self.m.row(about) else { return };
        let incarnation = row.incarnation;
        self.flood(Part::Rumour { about, incarnation, dead: true, by }, from);
        self.set_liveness(about, Liveness::Dead);
    }

    pub(super) fn on_rumour(&mut self, from: Place, about: Place, incarnation: u64, dead: bool, by: Place) {
        if about == self.m.here {
            return self.contradict(from, incarnation);
        }
        let known = by != about && self.m.row(by).is_some();
        let Some(row) = self.m.row(about).filter(|row| known && row.record.is_some()) else { return };
        if incarnation < row.incarnation {
            return self.answer(from, about);
        }
        if incarnation > row.incarnation {
            return self.want(from, about);
        }
        match row.liveness {
            Liveness::Alive | Liveness::Suspect => {
                if dead {
                    self.doom(about, by, from);
                } else {
                    self.accuse(about, by, false, Some(from));
                }
                if self.m.overlay.has(about) && by != self.m.here {
                    self.probe(about);
                }
            }
            Liveness::Dead => {}
        }
    }

    /// Someone believes that this node, of `incarnation`, is suspect or dead.
    pub(super) fn contradict(&mut self, from: Place, incarnation: u64) {
        let (mine, _) = self.m.my_key();
        if incarnation > mine {
            // A life this node does not remember, or a lie: only its own sealed record tells.
            return self.want(from, self.m.here);
        }
        if incarnation == mine {
            self.outgrow(incarnation);
        }
        self.answer(from, self.m.here);
    }

    /// Takes a number above `incarnation`, and tells everyone; later if it did just now.
    pub(super) fn outgrow(&mut self, incarnation: u64) {
        // Only a forger of this node's own seal gets near the greatest number.
        let Some(next) = incarnation.checked_add(1) else { return };
        let wait = self.m.refuted_at.map_or(0, |at| (at.0 + REFUTE_EVERY).saturating_sub(self.now.0));
        if wait > 0 {
            if self.m.refute.replace(incarnation).is_none() {
                self.set(Timer::Refute, wait);
            }
            return;
        }
        self.m.refute = None;
        self.m.refuted_at = Some(self.now);
        self.worse(1);
        self.raise(next);
        self.flood_mine();
    }

    /// What was held back.
    pub(super) fn refute_late(&mut self) {
        let (mine, _) = self.m.my_key();
        if let Some(incarnation) = self.m.refute.take().filter(|&incarnation| incarnation >= mine) {
            self.outgrow(incarnation);
        }
    }
}

/// 1000 · log2(n + 1).
const LOG: [u64; 9] = [0, 1000, 1585, 2000, 2322, 2585, 2807, 3000, 3170];
