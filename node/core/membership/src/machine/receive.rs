//! A frame came: what it says, part by part.

use super::Turn;
use crate::book::{Place, place};
use crate::frame::{self, Part};
use crate::machine::spread::How;
use crate::member::Liveness;
use ikigai_types::NodeId;

impl Turn<'_> {
    pub(super) fn receive(&mut self, from: &NodeId, frame: &[u8]) {
        let place = place(from);
        if self.m.row_of(from).is_none() || place == self.m.here {
            return;
        }
        // A frame that cannot be read is no sign of life: one that only sends rubbish is of no use to anyone.
        let Ok(parts) = frame::read(frame) else { return };
        self.heard(place);
        for part in parts {
            self.part(place, part);
        }
        self.set_right(place);
    }

    fn part(&mut self, from: Place, part: Part) {
        match part {
            Part::Ping { seq, mine, yours } => self.on_ping(from, seq, mine, yours),
            Part::Ack { seq, mine } => self.on_ack(from, seq, mine),
            Part::Relay { seq, target } => self.on_relay(from, seq, target),
            Part::Nack { seq } => self.on_nack(from, seq),
            Part::Rumour { about, incarnation, dead, by } => {
                self.on_rumour(from, about, incarnation, dead, by);
            }
            Part::Push(raw) => self.on_record(from, &raw, How::Push),
            Part::Flood(raw) => self.on_record(from, &raw, How::Flood),
            Part::Answer(raw) => self.on_record(from, &raw, How::Answer),
            Part::Have { about, key } => self.on_have(from, about, key),
            Part::Want { about, graft } => self.on_want(from, about, graft),
            Part::Prune { about } => self.make_lazy(from, about),
            Part::Digest { prefix, bits, hash } => self.on_digest(from, prefix, bits, hash),
            Part::Table { prefix, bits, entries } => self.on_table(from, prefix, bits, &entries),
        }
    }

    fn on_ping(&mut self, from: Place, seq: u32, mine: (u64, u64), yours: (u64, Liveness)) {
        let (incarnation, _) = self.m.my_key();
        if yours.0 > incarnation || yours.0 == incarnation && yours.1 != Liveness::Alive {
            self.contradict(from, yours.0);
        } else if yours.0 < incarnation {
            self.answer(from, self.m.here);
        }
        if seq != 0 {
            let mine = self.m.my_key();
            self.say(from, Part::Ack { seq, mine });
        }
        self.compare(from, from, mine);
    }

    /// `about` has a record of `key`, says `from`: asked for if it is news.
    pub(super) fn compare(&mut self, from: Place, about: Place, key: (u64, u64)) {
        if self.m.row(about).is_some_and(|row| key > row.key()) {
            self.want(from, about);
        }
    }

    /// One that writes while it is taken for dead or suspect is told, so that it can refute.
    fn set_right(&mut self, from: Place) {
        let Some(row) = self.m.row(from).filter(|row| row.liveness != Liveness::Alive) else { return };
        let unknown = row.record.is_none();
        if self.remind(from) {
            if unknown {
                self.say(from, Part::Want { about: from, graft: false });
            }
            self.ping(from, 0);
        }
    }
}
