//! Who does not answer is suspect, answers, or is dead.
//!
//! A suspicion is an affair of the few who watch a node: whoever failed to reach it tells the other watchers,
//! who ask it too. Any sign of life ends it, so a false one costs a few frames, however large the mesh. Only
//! those who failed to reach it themselves end its time, and they go on asking until then; the time is the
//! shorter the more of them there are. That it is dead is told to everyone, the node itself too: it has the last
//! word, by a record of a greater incarnation.

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
    /// Who failed to reach it, as far as it was heard of; bounded by the wanted confirmations.
    by: Vec<Place>,
    /// This node did.
    mine: bool,
    /// Someone says that it is dead: from now on it has to say itself that it is not.
    doomed: bool,
}

impl Turn<'_> {
    /// This node failed to reach `about`.
    pub(super) fn suspect(&mut self, about: Place) {
        let Some(row) = self.m.row(about).filter(|row| !row.is_dead()) else { return };
        let incarnation = row.incarnation;
        self.accuse(about, self.m.here);
        let Some(suspicion) = self.m.suspicions.get_mut(&about) else { return };
        if std::mem::replace(&mut suspicion.mine, true) {
            return;
        }
        self.set(Timer::Retry(about), millis(self.m.config.retry_every));
        self.ping(about, 0);
        for watcher in self.watchers(about) {
            self.say(watcher, Part::Rumour { about, incarnation, dead: false, by: self.m.here });
        }
    }

    fn accuse(&mut self, about: Place, by: Place) {
        let since = self.now;
        let new = || Suspicion { since, by: Vec::new(), mine: false, doomed: false };
        let suspicion = self.m.suspicions.entry(about).or_insert_with(new);
        if suspicion.by.len() <= self.m.config.confirmations && !suspicion.by.contains(&by) {
            suspicion.by.push(by);
        }
        self.set_liveness(about, Liveness::Suspect);
    }

    /// A sign of life came from `about`, or from one that was asked to ask it.
    pub(super) fn trust(&mut self, about: Place) {
        if self.m.suspicions.get(&about).is_some_and(|suspicion| !suspicion.doomed) {
            self.set_liveness(about, Liveness::Alive);
        }
    }

    /// How long `about` has, from the moment it was suspected.
    fn patience(&self, suspicion: &Suspicion) -> u64 {
        let (min, max) = (millis(self.m.config.suspicion_min), millis(self.m.config.suspicion_max));
        let wanted = self.m.config.confirmations.min(self.m.alive);
        let confirmed = suspicion.by.len().saturating_sub(1).min(wanted);
        // Lifeguard's curve: the first confirmation shortens the time most.
        let part = if wanted == 0 { 1000 } else { LOG[confirmed.min(8)] * 1000 / LOG[wanted.min(8)] };
        let patience = max - max.saturating_sub(min) * part / 1000;
        // Where frames are lost, so may the answers be that would clear it.
        let lossy = if self.now < self.m.lossy_until { 4 } else { 0 };
        patience * (2 + u64::from(self.m.health) + lossy) / 2
    }

    /// Asks a suspect again, directly and through others, or ends its time.
    pub(super) fn retry(&mut self, about: Place) {
        let Some(suspicion) = self.m.suspicions.get(&about).filter(|suspicion| suspicion.mine) else {
            return;
        };
        if self.now.0 >= suspicion.since.0 + self.patience(suspicion) {
            return self.bury(about, self.m.here, None);
        }
        self.set(Timer::Retry(about), millis(self.m.config.retry_every));
        self.ask_again(about);
    }

    fn bury(&mut self, about: Place, by: Place, from: Option<Place>) {
        let Some(row) = self.m.row(about) else { return };
        let incarnation = row.incarnation;
        self.flood(Part::Rumour { about, incarnation, dead: true, by }, from);
        self.set_liveness(about, Liveness::Dead);
    }

    pub(super) fn on_rumour(&mut self, from: Place, about: Place, incarnation: u64, dead: bool, by: Place) {
        if about == self.m.here {
            return if dead { self.contradict(from, incarnation) } else { self.ping(from, 0) };
        }
        let known = by != about && self.m.row(by).is_some();
        let Some(row) = self.m.row(about).filter(|row| known && row.record.is_some()) else { return };
        if incarnation < row.incarnation {
            return self.answer(from, about);
        }
        if incarnation > row.incarnation {
            return self.want(from, about);
        }
        if row.is_dead() {
            return;
        }
        if dead {
            self.doom(about, by, from);
        } else {
            self.accuse(about, by);
            self.probe(about);
        }
    }

    /// Someone says that `about` is dead. A liar may: it has the last word, unless this node knows it too.
    fn doom(&mut self, about: Place, by: Place, from: Place) {
        self.accuse(about, by);
        let Some(suspicion) = self.m.suspicions.get_mut(&about) else { return };
        if suspicion.mine {
            self.bury(about, by, Some(from));
        } else if !std::mem::replace(&mut suspicion.doomed, true) {
            let incarnation = self.m.row(about).map_or(0, |row| row.incarnation);
            self.flood(Part::Rumour { about, incarnation, dead: true, by }, Some(from));
            self.set(Timer::LastWord(about), millis(self.m.config.last_word));
        }
    }

    /// It did not contradict.
    pub(super) fn believe(&mut self, about: Place) {
        if self.m.suspicions.get(&about).is_some_and(|suspicion| suspicion.doomed) {
            self.set_liveness(about, Liveness::Dead);
        }
    }

    /// Someone believes that this node, of `incarnation`, is dead.
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
