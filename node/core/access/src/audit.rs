//! What was decided, as a chain: each entry has the hash of the one before, so that none can be taken out, put in
//! or changed unseen. Cutting off the newest entries is seen by who noted the last hash.

use crate::Hash;
use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest text of an entry, in characters.
const LONGEST: usize = 200;

/// One decision, before it has its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub who: String,
    /// How they came: `socket`, `token 3f9a01c2b4d5`, …
    pub via: String,
    /// What the policy calls it; `-` when it never came to that.
    pub action: String,
    /// What was asked: method and path, and what came of it in words where there is something to say.
    pub what: String,
    /// `done`, `failed`, `denied` or `refused`.
    pub result: String,
}

/// A decision in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// What was decided.
    pub deed: Deed,
    /// Of this entry and the hash before: 64 hex digits.
    pub hash: String,
}

/// Where a chain is: the number and hash of its last entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    seq: u64,
    hash: String,
}

/// A fault in a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Entries are not there.
    #[error("entries {0} to {1} are missing")]
    Missing(u64, u64),
    /// An entry is not what was written, or not in its place.
    #[error("entry {0} is not what was written")]
    Changed(u64),
}

impl Deed {
    /// The same with texts that are short and have no line breaks or control characters.
    #[must_use]
    pub fn tidy(self) -> Self {
        let tidy = |t: String| t.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        let Self { at, who, via, action, what, result } = self;
        Self {
            at,
            who: tidy(who),
            via: tidy(via),
            action: tidy(action),
            what: tidy(what),
            result: tidy(result),
        }
    }
}

impl Chain {
    /// Before the first entry.
    pub fn new() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// After `entry`.
    pub fn after(entry: &Entry) -> Self {
        Self { seq: entry.seq, hash: entry.hash.clone() }
    }

    /// Puts a decision into its place.
    pub fn add(&mut self, deed: Deed) -> Entry {
        let deed = deed.tidy();
        let seq = self.seq + 1;
        let hash = hash(&self.hash, seq, &deed);
        *self = Self { seq, hash: hash.clone() };
        Entry { seq, deed, hash }
    }

    /// Follows a chain one entry further.
    ///
    /// # Errors
    /// The [`Fault`] at this entry.
    pub fn check(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.seq > self.seq + 1 {
            return Err(Fault::Missing(self.seq + 1, entry.seq - 1));
        }
        if entry.seq != self.seq + 1 || entry.hash != hash(&self.hash, entry.seq, &entry.deed) {
            return Err(Fault::Changed(entry.seq));
        }
        *self = Self::after(entry);
        Ok(())
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

/// No field has a line break, so that the lines can be read in one way only.
fn hash(before: &str, seq: u64, deed: &Deed) -> String {
    let Deed { at, who, via, action, what, result } = deed;
    let text = format!("{before}\n{seq}\n{}\n{who}\n{via}\n{action}\n{what}\n{result}", at.0);
    Hash::of(&text).bytes().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(n: u64) -> Deed {
        let text = |t: &str| format!("{t}{n}");
        Deed {
            at: Timestamp(n),
            who: text("ana"),
            via: "socket".into(),
            action: "steer".into(),
            what: text("POST /v1/tasks/T00"),
            result: "done".into(),
        }
    }

    fn log() -> Vec<Entry> {
        let mut chain = Chain::new();
        (1..=20).map(|n| chain.add(deed(n))).collect()
    }

    fn verify(entries: &[Entry]) -> Result<(), Fault> {
        let mut chain = Chain::new();
        entries.iter().try_for_each(|e| chain.check(e))
    }

    #[test]
    fn every_tamper_is_found_where_it_is() {
        assert_eq!(verify(&log()), Ok(()));
        let mut gone = log();
        gone.remove(6);
        assert_eq!(verify(&gone), Err(Fault::Missing(7, 7)));
        let mut swapped = log();
        swapped.swap(3, 4);
        assert_eq!(verify(&swapped), Err(Fault::Missing(4, 4)));
        let mut doubled = log();
        doubled.insert(5, doubled[4].clone());
        assert_eq!(verify(&doubled), Err(Fault::Changed(5)));
        let edits: [fn(&mut Entry); 7] = [
            |e| e.deed.at.0 += 1,
            |e| e.deed.who = "ben".into(),
            |e| e.deed.via = "folder".into(),
            |e| e.deed.action = "read".into(),
            |e| e.deed.what.push('x'),
            |e| e.deed.result = "denied".into(),
            |e| e.hash = "0".repeat(64),
        ];
        for edit in edits {
            let mut changed = log();
            edit(&mut changed[9]);
            assert_eq!(verify(&changed), Err(Fault::Changed(10)));
        }
    }

    #[test]
    fn a_text_cannot_pass_for_two_fields() {
        let sly = Deed { who: "ana\nsocket".into(), what: "x\u{1b}[2J".repeat(100), ..deed(1) };
        let entry = Chain::new().add(sly);
        assert_eq!(entry.deed.who, "anasocket");
        assert!(entry.deed.what.chars().count() <= LONGEST && !entry.deed.what.contains('\u{1b}'));
    }

    #[test]
    fn a_chain_goes_on_after_a_restart() {
        let mut entries = log();
        let mut chain = Chain::after(&entries[19]);
        entries.push(chain.add(deed(21)));
        assert_eq!(verify(&entries), Ok(()));
        assert_eq!(
            entries[5..].iter().try_for_each({
                let mut chain = Chain::after(&entries[4]);
                move |e| chain.check(e)
            }),
            Ok(()),
            "old entries may be let go of"
        );
    }
}
