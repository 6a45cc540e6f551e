//! Who is silent is asked, then asked through others (SWIM), by a node that knows its own health (Lifeguard).

use super::{Turn, millis};
use crate::book::{Place, place};
use crate::frame::Part;
use crate::machine::timer::Timer;
use crate::member::Liveness;
use ikigai_types::{NodeId, Timestamp};

/// The worst health.
const HEALTH_MAX: u8 = 8;
/// Questions on behalf of others that wait for an answer.
const RELAYS_MAX: usize = 512;

/// A question that waits for its answer.
#[derive(Debug)]
pub(super) struct Probe {
    seq: u32,
    pub(super) deadline: Timestamp,
    /// Who was asked to ask; nobody yet at first.
    relays: Vec<Place>,
    /// Of those, who said that it heard nothing either.
    nacks: usize,
}

/// A question this node put for another.
#[derive(Debug)]
pub(super) struct Relayed {
    pub(super) origin: Place,
    pub(super) target: Place,
    seq: u32,
    nacked: bool,
}

impl Turn<'_> {
    pub(super) fn worse(&mut self, by: u8) {
        self.m.health = (self.m.health + by).min(HEALTH_MAX);
        self.m.better_at = self.now.after(self.m.config.probe_every);
    }

    /// Something came in time: that counts once a rhythm.
    fn better(&mut self) {
        if self.m.health > 0 && self.now >= self.m.better_at {
            self.m.health -= 1;
            self.m.better_at = self.now.after(self.m.config.probe_every);
        }
    }

    /// `wait`, longer if this node is not well.
    fn patient(&self, wait: std::time::Duration) -> u64 {
        millis(wait).saturating_mul(1 + u64::from(self.m.health))
    }

    pub(super) fn next_seq(&mut self) -> u32 {
        self.m.seq = self.m.seq.wrapping_add(1);
        self.m.seq
    }

    /// Asks `to`, and tells it what is thought of it.
    pub(super) fn ping(&mut self, to: Place, seq: u32) {
        let Some(row) = self.m.row(to) else { return };
        let ping = Part::Ping { seq, mine: self.m.my_key(), yours: (row.incarnation, row.liveness) };
        self.say(to, ping);
    }

    /// A neighbour may have been silent for long.
    pub(super) fn check(&mut self, place: Place, at: Timestamp) {
        let every = millis(self.m.config.probe_every);
        // Of two neighbours one asks; the other hears its question in time and need not.
        let every = if self.m.here < place { every } else { every + every / 8 };
        let now = self.now;
        let Some(slot) = self.m.overlay.slot_mut(place).filter(|slot| slot.watched && slot.check == at)
        else {
            return;
        };
        let due = slot.heard.0 + every;
        let wait = if due > now.0 { due - now.0 } else { every };
        slot.check = Timestamp(now.0 + wait);
        self.set(Timer::Check(place), wait);
        if due <= now.0 {
            self.probe(place);
        } else {
            self.better();
        }
    }

    pub(super) fn probe(&mut self, target: Place) {
        if self.m.probes.contains_key(&target) || self.m.row(target).is_none() {
            return;
        }
        let seq = self.next_seq();
        let wait = self.patient(self.m.config.probe_timeout);
        let deadline = Timestamp(self.now.0 + wait);
        self.m.probes.insert(target, Probe { seq, deadline, relays: Vec::new(), nacks: 0 });
        self.set(Timer::Probe(target), wait);
        self.ping(target, seq);
    }

    pub(super) fn probe_due(&mut self, target: Place) {
        let Some(probe) = self.m.probes.get(&target) else { return };
        if probe.deadline > self.now {
            let wait = probe.deadline.0 - self.now.0;
            self.set(Timer::Probe(target), wait);
        } else if probe.relays.is_empty() && self.ask_others(target) {
            let wait = self.patient(self.m.config.relay_timeout);
            self.set(Timer::Probe(target), wait);
        } else {
            self.fail(target);
        }
    }

    /// Asks others to ask `target`, and `target` once more; false if there are no others.
    fn ask_others(&mut self, target: Place) -> bool {
        let lossy = self.now < self.m.lossy_until;
        let relays = self.some_alive(self.m.config.relays + if lossy { 2 } else { 0 }, target);
        let deadline = Timestamp(self.now.0 + self.patient(self.m.config.relay_timeout));
        let Some(probe) = self.m.probes.get_mut(&target).filter(|_| !relays.is_empty()) else { return false };
        let seq = probe.seq;
        probe.deadline = deadline;
        probe.relays.clone_from(&relays);
        relays.into_iter().for_each(|relay| self.say(relay, Part::Relay { seq, target }));
        self.ping(target, seq);
        true
    }

    /// Asks a suspect directly and through others at once.
    pub(super) fn ask_again(&mut self, target: Place) {
        if self.m.probes.contains_key(&target) {
            return;
        }
        let seq = self.next_seq();
        self.m.probes.insert(target, Probe { seq, deadline: self.now, relays: Vec::new(), nacks: 0 });
        if self.ask_others(target) {
            let wait = self.patient(self.m.config.relay_timeout);
            self.set(Timer::Probe(target), wait);
        } else {
            self.m.probes.remove(&target);
            self.ping(target, seq);
        }
    }

    /// Nobody heard it. If those who were asked did not even say so, this node may be what is wrong.
    fn fail(&mut self, target: Place) {
        let Some(probe) = self.m.probes.remove(&target) else { return };
        if probe.nacks < probe.relays.len().div_ceil(2) {
            self.worse(1);
        }
        self.suspect(target);
    }

    /// Up to `n` living nodes other than `but`.
    pub(super) fn some_alive(&mut self, n: usize, but: Place) -> Vec<Place> {
        let m = &mut *self.m;
        let mut found = Vec::new();
        // A few strides over the table from a random row: few rows are read unless few are alive.
        for _ in 0..n {
            let start = m.chance.below(m.rows.len());
            let rows = (start..m.rows.len()).chain(0..start);
            let fit = |&row: &usize| {
                let place = m.book.entries()[row].place;
                m.rows[row].liveness == Liveness::Alive
                    && place != but
                    && place != m.here
                    && !found.contains(&place)
            };
            let Some(row) = rows.into_iter().find(fit) else { break };
            found.push(m.book.entries()[row].place);
        }
        found
    }

    pub(super) fn on_ack(&mut self, from: Place, seq: u32, key: (u64, u64)) {
        if let Some(relayed) = self.m.relays.get(&seq).filter(|relayed| relayed.target == from) {
            let (origin, theirs) = (relayed.origin, relayed.seq);
            self.m.relays.remove(&seq);
            self.say(origin, Part::Ack { seq: theirs, mine: key });
        }
        let answered =
            self.m.probes.iter().find(|(_, probe)| probe.seq == seq && probe.relays.contains(&from));
        if let Some(target) = answered.map(|(target, _)| *target) {
            self.lives(target);
        } else {
            self.on_have(from, from, key);
        }
    }

    /// A sign of life of `place`.
    fn lives(&mut self, place: Place) {
        if let Some(probe) = self.m.probes.remove(&place) {
            self.better();
            if !probe.relays.is_empty() {
                // The first question or its answer was lost.
                self.lossy();
            }
        }
        self.trust(place);
    }

    /// A frame came from `from` itself.
    pub(super) fn heard(&mut self, from: Place) {
        let now = self.now;
        if let Some(row) = self.m.row_mut(from) {
            row.hear(now);
        }
        if let Some(slot) = self.m.overlay.slot_mut(from) {
            slot.heard = now;
        }
        self.lives(from);
    }

    pub(super) fn on_relay(&mut self, from: Place, seq: u32, target: Place) {
        if self.m.relays.len() >= RELAYS_MAX || target == self.m.here || self.m.row(target).is_none() {
            return;
        }
        let mine = self.next_seq();
        self.m.relays.insert(mine, Relayed { origin: from, target, seq, nacked: false });
        self.set(Timer::Nack(mine), millis(self.m.config.probe_timeout) * 4 / 5);
        self.ping(target, mine);
    }

    /// Tells who asked that nothing was heard, so that it does not take itself for ill; later forgets.
    pub(super) fn nack(&mut self, seq: u32) {
        let Some(relayed) = self.m.relays.get_mut(&seq) else { return };
        if std::mem::replace(&mut relayed.nacked, true) {
            self.m.relays.remove(&seq);
            return;
        }
        let (origin, theirs) = (relayed.origin, relayed.seq);
        self.say(origin, Part::Nack { seq: theirs });
        self.set(Timer::Nack(seq), 4 * millis(self.m.config.relay_timeout));
    }

    pub(super) fn on_nack(&mut self, from: Place, seq: u32) {
        let probe = self.m.probes.values_mut().find(|probe| probe.seq == seq && probe.relays.contains(&from));
        if let Some(probe) = probe {
            probe.nacks += 1;
        }
    }

    /// Asks one of those believed dead, so that halves of a mesh find each other again.
    pub(super) fn seek(&mut self) {
        self.set(Timer::Seek, millis(self.m.config.seek_every));
        if self.m.dead == 0 {
            return;
        }
        let m = &mut *self.m;
        let start = m.chance.below(m.rows.len());
        let mut rows = (start..m.rows.len()).chain(0..start);
        let lost = rows.find(|&row| m.rows[row].is_dead() && !m.rows[row].left());
        if let Some(row) = lost {
            let place = m.book.entries()[row].place;
            self.ping(place, 0);
        }
    }

    /// A link to `node` stands: each tells the other of itself, and both compare tables.
    pub(super) fn greet(&mut self, node: &NodeId) {
        let place = place(node);
        if self.m.row_of(node).is_none() || place == self.m.here {
            return;
        }
        self.ping(place, 0);
        let mine = self.m.rows[self.m.my_row()].record.clone();
        mine.into_iter().for_each(|raw| self.say(place, Part::Flood(raw)));
        self.compare_tables(place);
    }

    /// The link to `node` broke: it is asked at once.
    pub(super) fn doubt(&mut self, node: &NodeId) {
        let place = place(node);
        if self.m.row_of(node).is_some_and(|row| !self.m.rows[row].is_dead()) && place != self.m.here {
            self.probe(place);
        }
    }
}
