//! How a record reaches everyone: eagerly along a tree, announced beside it, asked for where it is missing
//! (Plumtree), with a tree for each node, so that every record takes its shortest way.

use super::{Turn, millis};
use crate::book::{Place, place};
use crate::chance::mix;
use crate::frame::Part;
use crate::machine::timer::Timer;
use crate::member::Liveness;
use crate::record::Record;
use ikigai_types::Timestamp;
use std::sync::Arc;

/// Neighbours a record is announced to while nothing is lost.
const ANNOUNCED: usize = 2;
/// Announcers of a missing record that are remembered.
const ANNOUNCERS_MAX: usize = 4;
/// How long a loss is taken as a sign of more, in milliseconds.
const LOSSY_FOR: u64 = 60_000;

/// How a record came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Push,
    Flood,
    Answer,
}

/// A record that was announced and is not here.
#[derive(Debug)]
pub(super) struct Missing {
    key: (u64, u64),
    announcers: Vec<Place>,
    asked: usize,
}

impl Turn<'_> {
    pub(super) fn on_record(&mut self, from: Place, raw: &Arc<[u8]>, how: How) {
        let Ok(record) = Record::parse(raw) else { return };
        let about = place(&record.node);
        if self.m.node_at(about) != Some(record.node) {
            return;
        }
        if about == self.m.here {
            // This node's own, of a life it does not remember: the present one has to be greater.
            if record.key() > self.m.my_key() && self.m.seal.holds(&record.node, record.claim, record.seal) {
                self.outgrow(record.incarnation);
            }
            return;
        }
        let Some(row) = self.m.row(about) else { return };
        if record.key() <= row.key() {
            if how == How::Push {
                self.again_pushed(from, about);
            }
            return self.has(from, about, record.key());
        }
        if self.m.seal.holds(&record.node, record.claim, record.seal) {
            self.learn(from, &record, raw, how);
        }
    }

    /// A copy of what is here already: one that comes so is enough, some are if frames are lost.
    fn again_pushed(&mut self, from: Place, about: Place) {
        let enough = if self.now < self.m.lossy_until { self.m.config.copies_lossy } else { 1 };
        let Some(row) = self.m.row_mut(about) else { return };
        row.copies = row.copies.saturating_add(1);
        if row.copies > enough {
            // The other way stays: whether it is wanted is for the other to say.
            self.say(from, Part::Prune { about });
        }
    }

    fn learn(&mut self, from: Place, record: &Record<'_>, raw: &Arc<[u8]>, how: How) {
        let (about, now) = (place(&record.node), self.now);
        let Some(row) = self.m.row_mut(about) else { return };
        let raised = record.incarnation > row.incarnation;
        (row.incarnation, row.version) = record.key();
        row.record = Some(raw.clone());
        row.hear(now);
        // What was asked for says nothing of who brings it the next time.
        row.copies = u8::from(how != How::Answer);
        if self.m.missing.get(&about).is_some_and(|missing| missing.key <= record.key()) {
            self.m.missing.remove(&about);
        }
        if record.left {
            self.set_liveness(about, Liveness::Dead);
        } else if raised {
            self.set_liveness(about, Liveness::Alive);
        }
        self.changed(about);
        // News of life and death goes over every link: it is rare, and who misses it errs.
        if how == How::Flood || raised || record.left {
            self.flood_record(about, Some(from));
        } else {
            self.push(about, Some(from));
        }
    }

    /// Along the tree of `about`; announced to some of the others.
    pub(super) fn push(&mut self, about: Place, from: Option<Place>) {
        let Some(row) = self.m.row(about) else { return };
        let (Some(raw), lazy) = (row.record.clone(), row.lazy) else { return };
        let lossy = self.now < self.m.lossy_until;
        let mut beside = Vec::new();
        let mut eager = Vec::new();
        for (i, slot) in self.m.overlay.slots.iter().enumerate() {
            if let Some(slot) = slot.as_ref().filter(|slot| Some(slot.place) != from && slot.place != about) {
                if lazy & (1 << i) == 0 { eager.push(slot.place) } else { beside.push(slot.place) }
            }
        }
        eager.into_iter().for_each(|to| self.say(to, Part::Push(raw.clone())));
        if !lossy && beside.len() > ANNOUNCED {
            // Those first that are written to anyway; the same ones for the same record.
            let watched = |place: &Place| self.m.overlay.slot(*place).is_some_and(|slot| slot.watched);
            beside.sort_by_key(|place| (!watched(place), mix(place ^ about)));
            beside.truncate(ANNOUNCED);
        }
        self.announce(about, &beside);
    }

    fn announce(&mut self, about: Place, to: &[Place]) {
        for place in to {
            if let Some(slot) = self.m.overlay.slot_mut(*place) {
                slot.announce(about);
            }
        }
        if to.is_empty() {
            return;
        }
        let lossy = self.now < self.m.lossy_until;
        let wait = if lossy { self.m.config.lazy_delay_lossy } else { self.m.config.lazy_delay };
        let at = Timestamp(self.now.0 + millis(wait));
        if self.m.timers.lazy.is_none_or(|set| at < set) {
            self.m.timers.lazy = Some(at);
            self.set(Timer::Lazy, millis(wait));
        }
    }

    /// Announcements that found no frame to ride on go in one of their own.
    pub(super) fn flush_lazy(&mut self, at: Timestamp) {
        if self.m.timers.lazy != Some(at) {
            return;
        }
        self.m.timers.lazy = None;
        for slot in self.m.overlay.slots.iter().flatten().filter(|slot| !slot.lazy.is_empty()) {
            self.out.entry(slot.place).or_default();
        }
    }

    /// Over every link but the one it came by.
    pub(super) fn flood_record(&mut self, about: Place, from: Option<Place>) {
        if let Some(raw) = self.m.row(about).and_then(|row| row.record.clone()) {
            self.flood(Part::Flood(raw), from);
        }
    }

    pub(super) fn flood(&mut self, part: Part, from: Option<Place>) {
        let to: Vec<Place> = self.m.overlay.places().filter(|place| Some(*place) != from).collect();
        to.into_iter().for_each(|to| self.say(to, part.clone()));
    }

    /// `from` gets the records of `about` by another way.
    pub(super) fn make_lazy(&mut self, from: Place, about: Place) {
        if let Some(i) = self.m.overlay.index(from)
            && let Some(row) = self.m.row_mut(about)
        {
            row.lazy |= 1 << i;
        }
    }

    fn make_eager(&mut self, from: Place, about: Place) {
        if let Some(i) = self.m.overlay.index(from)
            && let Some(row) = self.m.row_mut(about)
        {
            row.lazy &= !(1 << i);
        }
    }

    /// `from` has this already: no need to announce it there.
    fn has(&mut self, from: Place, about: Place, key: (u64, u64)) {
        if self.m.row(about).is_some_and(|row| key >= row.key())
            && let Some(slot) = self.m.overlay.slot_mut(from)
        {
            slot.lazy.retain(|waiting| *waiting != about);
        }
    }

    pub(super) fn on_have(&mut self, from: Place, about: Place, key: (u64, u64)) {
        self.has(from, about, key);
        if self.m.row(about).is_none_or(|row| key <= row.key()) {
            return;
        }
        if about == self.m.here {
            return self.say(from, Part::Want { about, graft: false });
        }
        let new = !self.m.missing.contains_key(&about);
        let missing =
            self.m.missing.entry(about).or_insert(Missing { key, announcers: Vec::new(), asked: 0 });
        missing.key = missing.key.max(key);
        if missing.announcers.len() < ANNOUNCERS_MAX && !missing.announcers.contains(&from) {
            missing.announcers.push(from);
        }
        if new {
            let lossy = self.now < self.m.lossy_until;
            let wait = if lossy { self.m.config.graft_after_lossy } else { self.m.config.graft_after };
            self.set(Timer::Missing(about), millis(wait));
        }
    }

    /// An announced record did not come: its announcer becomes part of the tree.
    pub(super) fn fetch(&mut self, about: Place) {
        let Some(missing) = self.m.missing.get_mut(&about) else { return };
        if missing.asked >= missing.announcers.len() {
            self.m.missing.remove(&about);
            return;
        }
        let from = missing.announcers[missing.asked];
        missing.asked += 1;
        self.lossy();
        self.say(from, Part::Want { about, graft: true });
        self.set(Timer::Missing(about), millis(self.m.config.graft_retry));
    }

    /// Asks for the record of `about`, once.
    pub(super) fn want(&mut self, from: Place, about: Place) {
        self.say(from, Part::Want { about, graft: false });
    }

    pub(super) fn on_want(&mut self, from: Place, about: Place, graft: bool) {
        if graft {
            self.lossy();
            self.make_eager(from, about);
        }
        self.answer(from, about);
    }

    /// The record of `about` to one that lacks it, as far as its credit goes.
    pub(super) fn answer(&mut self, to: Place, about: Place) {
        let Some(raw) = self.m.row(about).and_then(|row| row.record.clone()) else { return };
        if self.spend(to, raw.len()) {
            self.say(to, Part::Answer(raw));
        }
    }

    /// Frames are lost, or a neighbour was: for a while records take more than one way.
    pub(super) fn lossy(&mut self) {
        if self.now >= self.m.lossy_until {
            self.m.rows.iter_mut().for_each(|row| row.lazy = 0);
        }
        self.m.lossy_until = Timestamp(self.now.0 + LOSSY_FOR);
    }
}
