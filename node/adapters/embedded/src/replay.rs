//! What a crash leaves: lines that are in a journal, and files that may hold them, half of them or none.

use crate::attempt::Walk;
use crate::record::{MAGIC, Record, What};
use crate::shelf::Shelf;
use crate::writer::Bounds;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::AttemptId;
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::PathBuf;

/// Brings every journal's lines into their files, durably, and answers the number of the next journal.
///
/// The journal is the truth: an attempt's file is first cut where the journal begins to speak of it, because
/// what it holds beyond was never synced. A journal's torn end was never answered and is passed over; only the
/// last one can have it, for a journal is begun after the one before it was settled.
pub(crate) fn replay(shelf: &Shelf, bounds: Bounds) -> PortResult<u64> {
    let folder = shelf.folder();
    let failed = |e| PortError::failed(format!("reading the journals in {}", folder.path().display()), e);
    let journals = folder.journals().map_err(failed)?;
    let mut replay = Replay { shelf, seen: HashSet::new(), removed_in: BTreeSet::new(), pending: 0, bounds };
    for number in &journals {
        let bytes = fs::read(folder.journal(*number)).map_err(failed)?;
        // Without its beginning it was being made when the crash came.
        let Some(records) = bytes.strip_prefix(MAGIC) else { continue };
        for record in Walk::new(records) {
            replay.carry_out(&record)?;
        }
    }
    shelf.settle(replay.removed_in).map_err(failed)?;
    Ok(journals.last().map_or(1, |last| last + 1))
}

struct Replay<'a> {
    shelf: &'a Shelf,
    seen: HashSet<AttemptId>,
    removed_in: BTreeSet<PathBuf>,
    pending: usize,
    bounds: Bounds,
}

impl Replay<'_> {
    fn carry_out(&mut self, record: &Record<'_>) -> PortResult<()> {
        let attempt = self.shelf.attempt(&record.attempt);
        let failed = |e| PortError::failed(format!("restoring the log of {}", record.attempt), e);
        match record.what {
            What::Removed => {
                attempt.clear().map_err(failed)?;
                self.removed_in.extend(attempt.folder());
                self.seen.insert(record.attempt.clone());
            }
            What::Lines { first, last, .. } => {
                if self.seen.insert(record.attempt.clone()) {
                    attempt.cut(first)?;
                }
                // Two journals never speak of the same line, but a crash between making one and removing
                // the other leaves both.
                if last > attempt.last()? {
                    attempt.add(record.bytes, last)?;
                    self.pending += record.bytes.len();
                }
            }
        }
        if self.pending > self.bounds.waiting {
            self.shelf.spill().map_err(failed)?;
            self.pending = 0;
        }
        Ok(())
    }
}
