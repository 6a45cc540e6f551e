//! What a disk may hold after a power cut: what was synced, and of everything later any part.
//!
//! The model is a page cache over a disk that writes sectors whole. A page that was written after the last sync
//! may be on disk in any of the states it went through, each of its sectors in another one, whatever became of
//! other pages. The length of the file may be any it had. What lies beyond the length is gone, what was never
//! written is zero. That is weaker than what file systems do, so what survives it survives them.

use super::chance::Chance;
use std::collections::BTreeMap;

/// The unit in which the cache holds what was written.
pub const PAGE: usize = 4096;

/// The unit in which the disk writes.
const SECTOR: usize = 512;

/// A change of a file that was not synced.
#[derive(Debug, Clone)]
pub enum Change {
    /// Bytes written at a place.
    Write(u64, Vec<u8>),
    /// A new length.
    Length(u64),
}

/// A file after a power cut: `synced` is what was durable, `changes` what was done since, in order.
pub fn torn(synced: &[u8], changes: &[Change], chance: &mut Chance) -> Vec<u8> {
    let kept = Kept::choose(chance);
    let mut lengths = vec![synced.len() as u64];
    let mut pages: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Length(length) => lengths.push(*length),
            Change::Write(at, bytes) => {
                let end = at + bytes.len() as u64;
                if lengths.last().is_some_and(|last| *last < end) {
                    lengths.push(end);
                }
                write(&mut pages, synced, usize::try_from(*at).unwrap(), bytes);
            }
        }
    }
    let length = usize::try_from(lengths[kept.state(lengths.len(), chance)]).unwrap();
    let mut image = synced.to_vec();
    image.resize(length, 0);
    for (page, states) in pages {
        let torn = chance.one_in(8);
        let (one, other) = (kept.state(states.len(), chance), kept.state(states.len(), chance));
        for sector in (0..PAGE).step_by(SECTOR) {
            let at = page * PAGE + sector;
            if at >= length {
                break;
            }
            let state = if torn && chance.one_in(2) { other } else { one };
            let end = (at + SECTOR).min(length);
            image[at..end].copy_from_slice(&states[state][sector..sector + end - at]);
        }
    }
    image
}

/// Adds to each page that `bytes` at `at` touch the state it has then.
fn write(pages: &mut BTreeMap<usize, Vec<Vec<u8>>>, synced: &[u8], at: usize, bytes: &[u8]) {
    let mut done = 0;
    while done < bytes.len() {
        let (page, offset) = ((at + done) / PAGE, (at + done) % PAGE);
        let length = (PAGE - offset).min(bytes.len() - done);
        let states = pages.entry(page).or_insert_with(|| vec![page_of(synced, page)]);
        let mut state = states.last().cloned().unwrap();
        state[offset..offset + length].copy_from_slice(&bytes[done..done + length]);
        states.push(state);
        done += length;
    }
}

fn page_of(file: &[u8], page: usize) -> Vec<u8> {
    let start = (page * PAGE).min(file.len());
    let mut bytes = file[start..(start + PAGE).min(file.len())].to_vec();
    bytes.resize(PAGE, 0);
    bytes
}

/// The changes that make `now` of `before`, page by page: what is known of a file that was only looked at.
pub fn changes(before: &[u8], now: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    if now.len() != before.len() {
        changes.push(Change::Length(now.len() as u64));
    }
    for (page, bytes) in now.chunks(PAGE).enumerate() {
        let start = page * PAGE;
        if before.get(start..start + bytes.len()) != Some(bytes) {
            changes.push(Change::Write(start as u64, bytes.to_vec()));
        }
    }
    changes
}

/// How much of what was not synced is there.
enum Kept {
    Nothing,
    Everything,
    Little,
    Half,
    Most,
}

impl Kept {
    fn choose(chance: &mut Chance) -> Self {
        match chance.below(8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 | 3 => Self::Little,
            4 | 5 => Self::Half,
            _ => Self::Most,
        }
    }

    /// One of `states` states, of which 0 is the synced one.
    fn state(&self, states: usize, chance: &mut Chance) -> usize {
        let any = 1 + chance.below((states as u64 - 1).max(1)) as usize;
        let new = match self {
            Self::Nothing => false,
            Self::Everything => return states - 1,
            Self::Little => chance.one_in(10),
            Self::Half => chance.one_in(2),
            Self::Most => !chance.one_in(10),
        };
        if new { any.min(states - 1) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_stays_and_the_rest_is_one_of_its_states() {
        let synced = vec![1; 3 * PAGE];
        let changes = [
            Change::Write(PAGE as u64 + 10, vec![2; 20]),
            Change::Write(PAGE as u64 + 2_000, vec![3; 20]),
            Change::Length(5 * PAGE as u64),
            Change::Write(4 * PAGE as u64, vec![4; PAGE]),
        ];
        let mut chance = Chance::new(1);
        let (mut old, mut new, mut mixed, mut torn_page) = (0, 0, 0, 0);
        for _ in 0..500 {
            let image = torn(&synced, &changes, &mut chance);
            assert!(image[..PAGE] == synced[..PAGE] && image[2 * PAGE..3 * PAGE] == synced[..PAGE]);
            match (image[PAGE + 10], image[PAGE + 2_000]) {
                (1, 1) => old += 1,
                (2, 3) => new += 1,
                (2, 1) | (1, 3) => mixed += 1,
                other => panic!("{other:?} was never written"),
            }
            assert!([3, 5].contains(&(image.len() / PAGE)) && image.len().is_multiple_of(PAGE));
            let last = image.get(4 * PAGE..).unwrap_or_default();
            torn_page += u32::from(last.contains(&0) && last.contains(&4));
        }
        assert!(old > 50 && new > 50 && mixed > 10 && torn_page > 5, "{old} {new} {mixed} {torn_page}");
    }

    #[test]
    fn all_changes_make_the_new_file() {
        let (before, mut now) = (vec![1; 2 * PAGE + 7], vec![1; 3 * PAGE + 9]);
        now[5000] = 9;
        let changes = changes(&before, &now);
        assert_eq!(
            changes.len(),
            4,
            "the length, a changed page, a grown one and a new one: {}",
            changes.len()
        );
        let mut chance = Chance::new(1);
        assert!((0..100).any(|_| torn(&before, &changes, &mut chance) == now));
    }
}
