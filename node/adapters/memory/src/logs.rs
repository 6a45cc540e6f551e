//! The Logs port on lists.

use async_trait::async_trait;
use ikigai_ports::PortResult;
use ikigai_ports::logs::{LogLine, Logs, admit, covers};
use ikigai_types::AttemptId;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Lines that last as long as the value itself.
#[derive(Debug, Default)]
pub struct MemoryLogs {
    attempts: Mutex<BTreeMap<AttemptId, Kept>>,
}

/// The lines of one attempt, and the last number they cover.
#[derive(Debug, Default)]
struct Kept {
    lines: Vec<LogLine>,
    last: watch::Sender<u64>,
}

impl MemoryLogs {
    /// No lines yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn attempts(&self) -> MutexGuard<'_, BTreeMap<AttemptId, Kept>> {
        // Lines are admitted before anything changes, so a panic leaves the lists whole.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Logs for MemoryLogs {
    async fn append(&self, attempt: &AttemptId, lines: Vec<LogLine>) -> PortResult<u64> {
        let mut attempts = self.attempts();
        let last = attempts.get(attempt).map_or(0, |kept| *kept.last.borrow());
        let lines = admit(last, lines)?;
        let Some(now) = lines.last().map(covers) else { return Ok(last) };
        let kept = attempts.entry(attempt.clone()).or_default();
        kept.lines.extend(lines);
        kept.last.send_replace(now);
        Ok(now)
    }

    async fn read(&self, attempt: &AttemptId, from: u64, limit: usize) -> PortResult<Vec<LogLine>> {
        let attempts = self.attempts();
        let Some(kept) = attempts.get(attempt) else { return Ok(Vec::new()) };
        let start = kept.lines.partition_point(|line| line.n < from);
        Ok(kept.lines[start..].iter().take(limit).cloned().collect())
    }

    async fn watch(&self, attempt: &AttemptId) -> PortResult<watch::Receiver<u64>> {
        Ok(self.attempts().entry(attempt.clone()).or_default().last.subscribe())
    }

    async fn remove(&self, attempt: &AttemptId) -> PortResult<()> {
        self.attempts().remove(attempt);
        Ok(())
    }
}
