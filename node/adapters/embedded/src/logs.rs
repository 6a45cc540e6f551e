//! The port's verbs: appends and removals through the writer's thread, reads from memory and files.

use crate::attempt::Attempt;
use crate::folder::Folder;
use crate::journal::Journal;
use crate::replay::replay;
use crate::shelf::Shelf;
use crate::writer::{Ask, Bounds, Writer};
use async_trait::async_trait;
use ikigai_ports::group::Group;
use ikigai_ports::logs::{LogLine, Logs};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::AttemptId;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// Log lines in one folder.
///
/// An append is durable once it is in the journal, whose one flush all appends that waited share, of however
/// many attempts. From there lines move to a file per attempt, from which they are read and with which they
/// are removed. After a crash the journal is carried out again.
///
/// A full disk refuses appends and keeps what is there; when there is room again, appends go on. After a
/// failed sync of an attempt's file appends are refused until the logs are opened again.
#[derive(Debug)]
pub struct SegmentLogs {
    // First, so that the thread has ended (and settled the files) when the rest is dropped.
    group: Group<Writer>,
    shelf: Arc<Shelf>,
}

impl SegmentLogs {
    /// Opens or creates the logs in `folder`. Blocks; after a crash for as long as replaying the journal takes.
    ///
    /// # Errors
    /// [`PortError::Refused`] when another process has them open, [`PortError::Failed`] when the folder cannot
    /// be read or written.
    pub fn open(folder: impl AsRef<Path>) -> PortResult<Self> {
        Self::open_with(folder, Bounds::default())
    }

    /// Opens logs that keep to other bounds.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(folder: impl AsRef<Path>, bounds: Bounds) -> PortResult<Self> {
        let shelf = Arc::new(Shelf::new(Folder::open(folder.as_ref())?));
        let next = replay(&shelf, bounds)?;
        let begin = || {
            let journal = Journal::create(shelf.folder(), next)?;
            journal.remove_earlier(shelf.folder())?;
            Ok(journal)
        };
        let journal = begin().map_err(|e: std::io::Error| PortError::failed("beginning a journal", e))?;
        let writer = Writer::new(Arc::clone(&shelf), journal, bounds);
        Ok(Self { group: Group::start("log-writer", writer)?, shelf })
    }
}

#[async_trait]
impl Logs for SegmentLogs {
    async fn append(&self, attempt: &AttemptId, lines: Vec<LogLine>) -> PortResult<u64> {
        self.group.ask(Ask::Append(attempt.clone(), lines)).await
    }

    async fn read(&self, attempt: &AttemptId, from: u64, limit: usize) -> PortResult<Vec<LogLine>> {
        let (attempt, from) = (self.shelf.attempt(attempt), from.max(1));
        match attempt.recent(from, limit) {
            Some(lines) => Ok(lines),
            None => blocking(attempt, move |attempt| attempt.read(from, limit)).await,
        }
    }

    async fn watch(&self, attempt: &AttemptId) -> PortResult<watch::Receiver<u64>> {
        blocking(self.shelf.attempt(attempt), Attempt::watch).await
    }

    async fn remove(&self, attempt: &AttemptId) -> PortResult<()> {
        self.group.ask(Ask::Remove(attempt.clone())).await.map(drop)
    }
}

/// Has `read` done where it may block.
async fn blocking<T: Send + 'static>(
    attempt: Arc<Attempt>,
    read: impl FnOnce(&Attempt) -> PortResult<T> + Send + 'static,
) -> PortResult<T> {
    let done = tokio::task::spawn_blocking(move || read(&attempt)).await;
    done.map_err(|e| PortError::failed("reading a log", e))?
}
