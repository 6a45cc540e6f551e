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
        if yours.0 > incarnation || yours.0 == incarnation && yours.1 == Liveness::Dead {
            self.contradict(from, yours.0);
        } else if yours.0 < incarnation {
            self.answer(from, self.m.here);
        }
        if seq != 0 {
            let mine = self.m.my_key();
            self.say(from, Part::Ack { seq, mine });
        }
        self.on_have(from, from, mine);
    }

    /// One that writes while it is taken for dead is told, so that it can contradict.
    fn set_right(&mut self, from: Place) {
        let Some(row) = self.m.row(from).filter(|row| row.is_dead()) else { return };
        let unknown = row.record.is_none();
        if self.remind(from) {
            if unknown {
                self.say(from, Part::Want { about: from, graft: false });
            }
            self.ping(from, 0);
        }
    }
}
