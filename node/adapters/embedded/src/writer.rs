//! The one thread that writes: a group of appends becomes one flush of the journal.

use crate::attempt::Attempt;
use crate::journal::{EMPTY, Journal};
use crate::record::{write_lines, write_removed};
use crate::shelf::Shelf;
use ikigai_ports::group::Flush;
use ikigai_ports::logs::{LogLine, admit, covers};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::AttemptId;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// What may wait before it is moved on, in bytes. The defaults are what a node uses.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// A journal that is longer is settled and a new one begun. Bounds how long opening after a crash takes.
    pub journal: u64,
    /// Lines of all attempts that wait in memory for their files. Four times as many are kept while the files
    /// cannot be written; then appends are refused until they can.
    pub waiting: usize,
    /// Lines of one attempt that wait, so that readers have little to look through.
    pub waiting_of_one: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { journal: 32 << 20, waiting: 4 << 20, waiting_of_one: 256 << 10 }
    }
}

/// What is asked of the writer.
#[derive(Debug)]
pub(crate) enum Ask {
    Append(AttemptId, Vec<LogLine>),
    Remove(AttemptId),
}

#[derive(Debug)]
pub(crate) struct Writer {
    shelf: Arc<Shelf>,
    journal: Journal,
    bounds: Bounds,
    /// The records of the group, kept for its memory.
    buffer: Vec<u8>,
    /// Bytes that wait for their files.
    pending: usize,
    /// Folders from which files were removed since the journal began.
    removed_in: BTreeSet<PathBuf>,
    /// Why nothing is answered any more.
    broken: Option<String>,
}

/// What a group does once its records are durable.
enum Step {
    Add(Arc<Attempt>, Range<usize>, u64),
    Clear(Arc<Attempt>),
}

impl Writer {
    pub(crate) fn new(shelf: Arc<Shelf>, journal: Journal, bounds: Bounds) -> Self {
        let (buffer, removed_in) = (Vec::new(), BTreeSet::new());
        Self { shelf, journal, bounds, buffer, pending: 0, removed_in, broken: None }
    }

    /// Turns the group into records in the buffer, the steps that follow, and the answers.
    fn record(&mut self, asks: Vec<Ask>) -> (Vec<Step>, Vec<PortResult<u64>>) {
        let (mut steps, mut answers) = (Vec::new(), Vec::with_capacity(asks.len()));
        // The last numbers as this group leaves them, which are not durable yet.
        let mut ends: HashMap<AttemptId, u64> = HashMap::new();
        self.buffer.clear();
        for ask in asks {
            let answer = match ask {
                Ask::Append(id, lines) => self.record_append(id, lines, &mut ends, &mut steps),
                Ask::Remove(id) => {
                    write_removed(&mut self.buffer, &id);
                    steps.push(Step::Clear(self.shelf.attempt(&id)));
                    ends.insert(id, 0);
                    Ok(0)
                }
            };
            answers.push(answer);
        }
        (steps, answers)
    }

    fn record_append(
        &mut self,
        id: AttemptId,
        lines: Vec<LogLine>,
        ends: &mut HashMap<AttemptId, u64>,
        steps: &mut Vec<Step>,
    ) -> PortResult<u64> {
        let attempt = self.shelf.attempt(&id);
        let last = ends.get(&id).copied().map_or_else(|| attempt.last(), Ok)?;
        let lines = admit(last, lines)?;
        let Some(last) = lines.last().map(covers) else { return Ok(last) };
        let start = self.buffer.len();
        write_lines(&mut self.buffer, &id, &lines);
        steps.push(Step::Add(attempt, start..self.buffer.len(), last));
        ends.insert(id, last);
        Ok(last)
    }

    /// Makes readers see what is durable now.
    fn show(&mut self, steps: Vec<Step>) -> PortResult<()> {
        for step in steps {
            match step {
                Step::Add(attempt, range, last) => {
                    self.pending += range.len();
                    if attempt.add(&self.buffer[range], last)? > self.bounds.waiting_of_one {
                        // One that fails is tried again with the others.
                        self.pending -= attempt.spill().unwrap_or(0).min(self.pending);
                    }
                }
                Step::Clear(attempt) => {
                    attempt.clear().map_err(|e| PortError::failed("removing a log file", e))?;
                    self.removed_in.extend(attempt.folder());
                }
            }
        }
        Ok(())
    }

    /// Keeps memory and journal within their bounds. The error is one after which only opening again helps.
    fn tidy(&mut self) -> PortResult<()> {
        let settle = self.journal.length() > self.bounds.journal;
        if !settle && self.pending <= self.bounds.waiting {
            return Ok(());
        }
        if let Err(error) = self.shelf.spill() {
            tracing::warn!(%error, "log lines wait in memory, because their files cannot be written");
            return Ok(());
        }
        self.pending = 0;
        if settle { self.settle() } else { Ok(()) }
    }

    /// Brings all lines into their files, durably, and begins a new journal.
    fn settle(&mut self) -> PortResult<()> {
        let failed = |e| PortError::failed("settling the log files", e);
        self.shelf.settle(self.removed_in.clone()).map_err(failed)?;
        (self.pending, self.removed_in) = (0, BTreeSet::new());
        self.journal.rotate(self.shelf.folder()).map_err(failed)
    }

    /// Refuses the group when there is no way to keep it.
    fn check(&mut self) -> Result<(), String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        if self.pending > self.bounds.waiting * 4 {
            self.shelf.spill().map_err(|e| format!("log files cannot be written: {e}"))?;
            self.pending = 0;
        }
        Ok(())
    }
}

impl Flush for Writer {
    type Ask = Ask;
    type Answer = u64;

    fn weight(ask: &Ask) -> usize {
        match ask {
            Ask::Append(_, lines) => lines.iter().map(LogLine::weight).sum(),
            Ask::Remove(_) => 0,
        }
    }

    fn flush(&mut self, asks: Vec<Ask>) -> Vec<PortResult<u64>> {
        let count = asks.len();
        let refuse =
            |why: &str| (0..count).map(|_| Err(PortError::unavailable("the log store", why))).collect();
        if let Err(why) = self.check() {
            return refuse(&why);
        }
        let (steps, answers) = self.record(asks);
        if steps.is_empty() {
            return answers;
        }
        if let Err(error) = self.journal.append(&self.buffer) {
            tracing::error!(%error, "log lines could not be made durable");
            return refuse(&error.to_string());
        }
        if let Err(error) = self.show(steps).and_then(|()| self.tidy()) {
            // What was journalled is durable, so the answers hold; opening again brings it into the files.
            let why = format!("{}; start the node again", error.chain());
            tracing::error!(error = why, "the log store stops");
            self.broken = Some(why);
        }
        answers
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // So that nothing is left to do when the logs are opened again; if it fails, that does it.
        if self.broken.is_none()
            && self.journal.length() > EMPTY
            && let Err(error) = self.settle()
        {
            tracing::warn!(error = error.chain(), "the logs were not settled");
        }
    }
}
