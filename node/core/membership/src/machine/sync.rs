//! Comparing tables with one other node: hashes of ranges, halved where they differ, then rows, then records.
//! Whatever all else missed is found here; what two tables have in common costs next to nothing.

use super::{Turn, millis};
use crate::book::Place;
use crate::chance::mix;
use crate::frame::{Part, TABLE_MAX, TableEntry};
use crate::machine::timer::Timer;
use crate::member::Row;

/// A range of so many known nodes or fewer is sent as rows.
const LEAF: usize = 12;
/// Each step parts a range in so many: 2 to the power of this.
const FAN_BITS: u8 = 4;
/// How soon tables are compared again after they differed, in milliseconds.
const AGAIN: u64 = 1_000;

impl Turn<'_> {
    pub(super) fn sync_due(&mut self) {
        let every = millis(self.m.config.sync_every) / if self.now < self.m.lossy_until { 4 } else { 1 };
        let wait = every / 2 + self.m.chance.millis(every);
        self.set(Timer::Sync, wait);
        let partner = self.some_alive(1, self.m.here);
        partner.into_iter().for_each(|partner| self.compare_tables(partner));
    }

    pub(super) fn compare_tables(&mut self, with: Place) {
        self.say_digests(with, 0, 0);
    }

    fn say_digests(&mut self, to: Place, prefix: Place, bits: u8) {
        let bits = bits + FAN_BITS;
        for child in 0..1_u64 << FAN_BITS {
            let prefix = prefix | child << (64 - bits);
            let hash = self.hash(prefix, bits);
            self.say(to, Part::Digest { prefix, bits, hash });
        }
    }

    fn known(&self, prefix: Place, bits: u8) -> impl Iterator<Item = (Place, &Row)> {
        let range = self.m.book.range(prefix, bits);
        let rows = self.m.book.entries()[range.clone()].iter().zip(&self.m.rows[range]);
        rows.filter(|(_, row)| row.record.is_some()).map(|(entry, row)| (entry.place, row))
    }

    fn hash(&self, prefix: Place, bits: u8) -> u64 {
        self.known(prefix, bits).fold(0, |sum, (place, row)| {
            let state = mix(row.version ^ u64::from(row.is_dead()) << 63);
            sum.wrapping_add(mix(place ^ mix(row.incarnation ^ state)))
        })
    }

    pub(super) fn on_digest(&mut self, from: Place, prefix: Place, bits: u8, hash: u64) {
        let rows = self.m.book.range(prefix, bits).len();
        if !self.spend(from, rows / 8) || self.hash(prefix, bits) == hash {
            return;
        }
        self.again();
        let entries: Vec<TableEntry> = self.known(prefix, bits).map(entry).take(TABLE_MAX + 1).collect();
        if !self.spend(from, 64 + 16 * entries.len()) {
            return;
        }
        // Many nodes of one long prefix are no accident of honest keys: then the first rows have to do.
        if entries.len() <= LEAF || bits > 64 - FAN_BITS {
            let entries = entries.into_iter().take(TABLE_MAX).collect();
            self.say(from, Part::Table { prefix, bits, entries });
        } else {
            self.say_digests(from, prefix, bits);
        }
    }

    pub(super) fn on_table(&mut self, from: Place, prefix: Place, bits: u8, theirs: &[TableEntry]) {
        let rows = self.m.book.range(prefix, bits).len();
        if !self.spend(from, rows) {
            return;
        }
        let mine: Vec<TableEntry> = self.known(prefix, bits).map(entry).collect();
        for their in theirs {
            let my = mine.iter().find(|my| my.place == their.place);
            match my {
                Some(my) if their.key < my.key => self.answer(from, my.place),
                Some(my) if their.key == my.key => self.agree(from, my, their.dead),
                Some(_) => self.want(from, their.place),
                None if self.m.row(their.place).is_some() => self.want(from, their.place),
                None => {}
            }
        }
        for my in &mine {
            if !theirs.iter().any(|their| their.place == my.place) {
                self.answer(from, my.place);
            }
        }
    }

    /// Both have the same record, and may still differ in whether its node lives.
    fn agree(&mut self, from: Place, my: &TableEntry, their_dead: bool) {
        let incarnation = my.key.0;
        let left = self.m.row(my.place).is_some_and(Row::left);
        if my.dead && !their_dead && !left {
            self.say(from, Part::Rumour { about: my.place, incarnation, dead: true, by: self.m.here });
        } else if their_dead && !my.dead {
            self.on_rumour(from, my.place, incarnation, true, from);
        }
    }

    /// Where two tables differ there may be more: the next comparison comes soon.
    fn again(&mut self) {
        if self.m.timers.sync.0 > self.now.0 + 2 * AGAIN {
            let wait = AGAIN / 2 + self.m.chance.millis(AGAIN);
            self.set(Timer::Sync, wait);
        }
    }
}

fn entry((place, row): (Place, &Row)) -> TableEntry {
    TableEntry { place, key: row.key(), dead: row.is_dead() }
}
