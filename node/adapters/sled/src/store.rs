//! The port's verbs: reads from sled, commits through the writer thread.

use crate::sync::{FileSync, Syncer};
use crate::writer::Writer;
use async_trait::async_trait;
use ikigai_ports::group::Group;
use ikigai_ports::store::{Batch, Entry, Store, Watchers};
use ikigai_ports::{PortError, PortResult};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// What sled may keep of its file in memory: 16 MiB.
const CACHE_BYTES: u64 = 16 << 20;

/// How often sled looks for space to reclaim.
const TIDY_EVERY: Duration = Duration::from_millis(500);

/// Ordered keys in one sled folder.
///
/// A commit is answered after sled's `flush` *and* a sync of sled's files, both shared by all commits that
/// waited. Reads see a commit from the moment it is applied, which is up to one flush before it is durable.
/// After a failed sync the store answers no commit until it is opened again.
#[derive(Debug)]
pub struct SledStore {
    // First, so that the thread has ended (and let go of the database) when the rest is dropped.
    group: Group<Writer>,
    tree: Arc<Applied>,
    watchers: Arc<Watchers>,
}

/// sled's tree. Batches are applied under the lock, because sled lets readers see half of one.
#[derive(Debug)]
pub(crate) struct Applied(RwLock<sled::Db>);

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
        let tree = Arc::new(Applied(RwLock::new(db)));
        let watchers = Arc::new(Watchers::default());
        let writer =
            Writer::new(Arc::clone(&tree), Arc::clone(&watchers), Box::new(syncer), folder.to_owned());
        Ok(Self { group: Group::start("sled-writer", writer)?, tree, watchers })
    }
}

impl Applied {
    /// What `read` makes of the tree while no batch is half applied.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&sled::Tree) -> sled::Result<T>) -> PortResult<T> {
        let db = self.0.read().unwrap_or_else(PoisonError::into_inner);
        read(&db).map_err(as_port_error)
    }

    /// What `write` makes of the tree while nobody reads.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&sled::Tree) -> sled::Result<T>) -> PortResult<T> {
        let db = self.0.write().unwrap_or_else(PoisonError::into_inner);
        write(&db).map_err(as_port_error)
    }
}

#[async_trait]
impl Store for SledStore {
    async fn get(&self, key: &[u8]) -> PortResult<Option<Entry>> {
        let (tree, key) = (Arc::clone(&self.tree), key.to_vec());
        let found = blocking(move || tree.read(|tree| tree.get(&key))).await?;
        found.map(|stored| decode(&stored)).transpose()
    }

    async fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> PortResult<Vec<(Vec<u8>, Entry)>> {
        let (tree, prefix, start) = (Arc::clone(&self.tree), prefix.to_vec(), prefix.max(from).to_vec());
        let found = blocking(move || {
            tree.read(|tree| {
                let ends = |found: &sled::Result<(sled::IVec, _)>| match found {
                    Ok((key, _)) => key.starts_with(&prefix),
                    Err(_) => true,
                };
                tree.range(start..).take(limit).take_while(ends).collect::<sled::Result<Vec<_>>>()
            })
        });
        found.await?.into_iter().map(|(key, stored)| Ok((key.to_vec(), decode(&stored)?))).collect()
    }

    async fn commit(&self, batch: Batch) -> PortResult<()> {
        self.group.ask(batch).await
    }

    fn watch(&self, prefix: &[u8]) -> watch::Receiver<u64> {
        self.watchers.watch(prefix)
    }
}

/// An entry as sled keeps it: eight bytes of version, then the value.
pub(crate) fn encode(entry: &Entry) -> Vec<u8> {
    [&entry.version.to_le_bytes(), entry.value.as_slice()].concat()
}

fn decode(stored: &[u8]) -> PortResult<Entry> {
    let version = version(stored)?;
    Ok(Entry { value: stored[8..].to_vec(), version })
}

/// The version of a stored entry.
pub(crate) fn version(stored: &[u8]) -> PortResult<u64> {
    let bytes = stored.first_chunk().ok_or_else(|| PortError::Corrupt("an entry of the store".to_owned()))?;
    Ok(u64::from_le_bytes(*bytes))
}

/// What a caller can do about sled's error.
pub(crate) fn as_port_error(error: sled::Error) -> PortError {
    match error {
        sled::Error::Corruption { .. } => PortError::Corrupt("the store".to_owned()),
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            PortError::Refused("the store is open in another process: stop that one first".to_owned())
        }
        other => PortError::unavailable("the store", other),
    }
}

/// Has `read` done where it may block.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> PortResult<T> + Send + 'static) -> PortResult<T> {
    let done = tokio::task::spawn_blocking(read).await;
    done.map_err(|e| PortError::failed("reading the store", e))?
}
