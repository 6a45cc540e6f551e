//! The port's verbs: reads from sled, commits through the writer thread.

use crate::sync::{FileSync, Syncer};
use crate::tree::{Tree, as_port_error};
use crate::writer::Writer;
use async_trait::async_trait;
use ikigai_ports::group::Group;
use ikigai_ports::store::{Batch, Entry, Store, Watchers};
use ikigai_ports::{PortError, PortResult};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What sled may keep of its file in memory: 16 MiB.
const CACHE_BYTES: u64 = 16 << 20;

/// How often sled looks for space to reclaim.
const TIDY_EVERY: Duration = Duration::from_millis(500);

/// Ordered keys in one sled folder.
///
/// A commit is answered after sled's `flush` *and* a sync of sled's files, both shared by all commits that
/// waited. Reads see the last durable state.
/// After a failed sync the store answers no commit until it is opened again.
#[derive(Debug)]
pub struct SledStore {
    // First, so that the thread has ended (and let go of the database) when the rest is dropped.
    group: Group<Writer>,
    tree: Arc<Tree>,
    watchers: Arc<Watchers>,
}

impl SledStore {
    /// Opens or creates the store in `folder`. Blocks; after a crash for as long as sled takes to recover.
    ///
    /// # Errors
    /// [`PortError::Refused`] when another process has it open, [`PortError::Corrupt`] when the files are not
    /// what sled wrote, [`PortError::Unavailable`] with sled's error otherwise.
    pub fn open(folder: impl AsRef<Path>) -> PortResult<Self> {
        Self::open_with(folder, FileSync::default(), Some(TIDY_EVERY))
    }

    /// Opens a store whose files are synced by `syncer`, and reclaims space every `tidy` (`None`: never).
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        folder: impl AsRef<Path>,
        syncer: impl Syncer,
        tidy: Option<Duration>,
    ) -> PortResult<Self> {
        let folder = folder.as_ref();
        let tidy = tidy.map(|every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX));
        let config = sled::Config::default().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(tidy);
        let db = config.open().map_err(as_port_error)?;
        let above = folder.parent().filter(|above| *above != Path::new("")).unwrap_or(Path::new("."));
        let synced = File::open(above).and_then(|above| above.sync_all());
        synced.map_err(|e| PortError::failed(format!("syncing the folder {}", above.display()), e))?;
        let tree = Arc::new(Tree::new(db));
        let watchers = Arc::new(Watchers::default());
        let writer =
            Writer::new(Arc::clone(&tree), Arc::clone(&watchers), Box::new(syncer), folder.to_owned());
        Ok(Self { group: Group::start("sled-writer", writer)?, tree, watchers })
    }
}

#[async_trait]
impl Store for SledStore {
    async fn get(&self, key: &[u8]) -> PortResult<Option<Entry>> {
        let (tree, key) = (Arc::clone(&self.tree), key.to_vec());
        blocking(move || tree.get(&key)).await
    }

    async fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> PortResult<Vec<(Vec<u8>, Entry)>> {
        let (tree, prefix, start) = (Arc::clone(&self.tree), prefix.to_vec(), prefix.max(from).to_vec());
        blocking(move || tree.scan(&prefix, &start, limit)).await
    }

    async fn commit(&self, batch: Batch) -> PortResult<()> {
        self.group.ask(batch).await
    }

    fn watch(&self, prefix: &[u8]) -> watch::Receiver<u64> {
        self.watchers.watch(prefix)
    }
}

/// Has `read` done where it may block.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> PortResult<T> + Send + 'static) -> PortResult<T> {
    let done = tokio::task::spawn_blocking(read).await;
    done.map_err(|e| PortError::failed("reading the store", e))?
}
