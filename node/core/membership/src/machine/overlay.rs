//! Who is whose neighbour. Every node stands on several circles, in an order that its id gives; its neighbours
//! are those before and after it among the living. All nodes that know the same living agree without a word,
//! each has at most two neighbours a circle, and the union of the circles is an expander: a few hops to all.

use super::{Turn, millis};
use crate::book::Place;
use crate::chance::mix;
use crate::machine::timer::Timer;
use ikigai_types::Timestamp;

/// Announcements that wait for one neighbour; further ones are left to the comparison of tables.
const LAZY_MAX: usize = 512;

#[derive(Debug)]
pub(super) struct Overlay {
    here: Place,
    rings: usize,
    /// Neighbours on the first so many circles watch each other.
    watch: usize,
    /// Distance on each circle to the nearest living one after and before this node.
    nearest: Vec<[u64; 2]>,
    /// A neighbour keeps its number as long as it is one: rows refer to it by bit.
    pub(super) slots: Vec<Option<Slot>>,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) place: Place,
    /// When a frame last came from it.
    pub(super) heard: Timestamp,
    /// Whether this node watches it.
    pub(super) watched: bool,
    /// When it is looked at again; other timers of it are left over.
    pub(super) check: Timestamp,
    /// Records to announce to it.
    pub(super) lazy: Vec<Place>,
}

impl Overlay {
    pub(super) fn new(here: Place, rings: usize, watch: usize) -> Self {
        let rings = rings.clamp(1, 8);
        let watch = watch.clamp(1, rings);
        Self {
            here,
            rings,
            watch,
            nearest: vec![[u64::MAX; 2]; rings],
            slots: (0..2 * rings).map(|_| None).collect(),
        }
    }

    /// Whether `place`, now living, takes the place of a neighbour.
    pub(super) fn closer(&self, place: Place) -> bool {
        (0..self.rings).any(|ring| {
            let distance = distance(self.here, place, ring);
            distance[0] < self.nearest[ring][0] || distance[1] < self.nearest[ring][1]
        })
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.slots.iter().flatten().map(|slot| slot.place)
    }

    pub(super) fn has(&self, place: Place) -> bool {
        self.index(place).is_some()
    }

    pub(super) fn index(&self, place: Place) -> Option<usize> {
        self.slots.iter().position(|slot| slot.as_ref().is_some_and(|slot| slot.place == place))
    }

    pub(super) fn slot(&self, place: Place) -> Option<&Slot> {
        self.slots.iter().flatten().find(|slot| slot.place == place)
    }

    pub(super) fn slot_mut(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.iter_mut().flatten().find(|slot| slot.place == place)
    }

    /// Silence of this length was this node's own.
    pub(super) fn excuse(&mut self, late: u64) {
        self.slots.iter_mut().flatten().for_each(|slot| slot.heard.0 += late);
    }

    /// The neighbours among the living, those first that are watched; and how many are.
    fn choose(&mut self, living: impl Iterator<Item = Place>) -> (Vec<Place>, usize) {
        let best = nearest(self.here, self.rings, living);
        self.nearest = best.iter().map(|[after, before]| [after.0, before.0]).collect();
        let mut chosen: Vec<Place> = Vec::new();
        let mut watched = 0;
        for (ring, best) in best.iter().enumerate() {
            for place in best.iter().filter_map(|(_, place)| *place) {
                if !chosen.contains(&place) {
                    chosen.push(place);
                }
            }
            if ring < self.watch {
                watched = chosen.len();
            }
        }
        (chosen, watched)
    }
}

/// How far `place` stands after and before `here` on circle `ring`.
fn distance(here: Place, place: Place, ring: usize) -> [u64; 2] {
    let salt = mix(ring as u64);
    let after = mix(place ^ salt).wrapping_sub(mix(here ^ salt));
    [after, after.wrapping_neg()]
}

/// For each circle, the nearest after and before `here`, and how far they are.
fn nearest(here: Place, rings: usize, living: impl Iterator<Item = Place>) -> Vec<[(u64, Option<Place>); 2]> {
    let mut best = vec![[(u64::MAX, None); 2]; rings];
    for place in living {
        for (ring, best) in best.iter_mut().enumerate() {
            for (best, distance) in best.iter_mut().zip(distance(here, place, ring)) {
                if distance < best.0 {
                    *best = (distance, Some(place));
                }
            }
        }
    }
    best
}

impl Slot {
    pub(super) fn announce(&mut self, about: Place) {
        if self.lazy.len() < LAZY_MAX && !self.lazy.contains(&about) {
            self.lazy.push(about);
        }
    }
}

impl Turn<'_> {
    /// Chooses the neighbours anew.
    pub(super) fn settle_overlay(&mut self) {
        let m = &mut *self.m;
        let here = m.here;
        let living = m.book.entries().iter().zip(&m.rows).filter(|(e, r)| !r.is_dead() && e.place != here);
        let (chosen, watched) = m.overlay.choose(living.map(|(entry, _)| entry.place));
        let mut freed = 0_u16;
        for (i, slot) in m.overlay.slots.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(|slot| !chosen.contains(&slot.place)) {
                *slot = None;
                freed |= 1 << i;
            }
        }
        if freed != 0 {
            // Whoever gets the number of one that went starts as one to whom all records go by themselves.
            m.rows.iter_mut().for_each(|row| row.lazy &= !freed);
        }
        for (i, place) in chosen.into_iter().enumerate() {
            self.befriend(place, i < watched);
        }
    }

    fn befriend(&mut self, place: Place, watched: bool) {
        if !self.m.overlay.has(place) {
            let slot =
                Slot { place, heard: Timestamp(0), watched: false, check: Timestamp(0), lazy: Vec::new() };
            let free = self.m.overlay.slots.iter_mut().find(|slot| slot.is_none());
            *free.expect("invariant: there are as many numbers as neighbours at most") = Some(slot);
        }
        // The first look comes at random within the rhythm, so that looks of many spread over it.
        let wait = self.m.chance.millis(millis(self.m.config.probe_every));
        let check = Timestamp(self.now.0.saturating_add(wait));
        let Some(slot) = self.m.overlay.slot_mut(place) else { return };
        if std::mem::replace(&mut slot.watched, watched) != watched && watched {
            slot.check = check;
            self.set(Timer::Check(place), wait);
        }
    }

    /// Those who watch `place`, other than this node.
    pub(super) fn watchers(&self, place: Place) -> Vec<Place> {
        let living = self.m.book.entries().iter().zip(&self.m.rows);
        let living = living.filter(|(entry, row)| !row.is_dead() && entry.place != place);
        let best = nearest(place, self.m.overlay.watch, living.map(|(entry, _)| entry.place));
        let mut watchers: Vec<Place> = best.iter().flatten().filter_map(|(_, place)| *place).collect();
        watchers.sort_unstable();
        watchers.dedup();
        watchers.retain(|watcher| *watcher != self.m.here);
        watchers
    }
}
