//! The port's verbs: reads from snapshots, commits through the writer thread.

use crate::database::{Reopening, as_port_error};
use crate::writer::Writer;
use async_trait::async_trait;
use ikigai_ports::group::Group;
use ikigai_ports::store::{Batch, Entry, Store, Watchers};
use ikigai_ports::{PortError, PortResult};
use redb::{Builder, Database, DatabaseError, StorageError};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// What redb may keep of its file in memory: 16 MiB.
const CACHE_BYTES: usize = 16 << 20;

/// Ordered keys in one redb file.
///
/// A commit is answered after redb's durable commit (one `fdatasync`), which all commits that waited share.
/// Reads come from the last durable state. After an I/O error what was asked is answered `Unavailable` and the
/// file is opened again by the next call, so a disk that was full or away is used again when it is back.
#[derive(Debug)]
pub struct RedbStore {
    // First, so that the thread has ended (and let go of the database) when the rest is dropped.
    group: Group<Writer>,
    database: Arc<Reopening>,
    watchers: Arc<Watchers>,
}

impl RedbStore {
    /// Opens or creates the store in `folder`, which is made when it is missing. Blocks; after a crash for as
    /// long as redb takes to repair its file.
    ///
    /// # Errors
    /// [`PortError::Refused`] when another process has it open, [`PortError::Corrupt`] when the file is not what
    /// redb wrote, [`PortError::Unavailable`] with redb's error otherwise.
    pub fn open(folder: impl AsRef<Path>) -> PortResult<Self> {
        let folder = folder.as_ref();
        prepare(folder)
            .map_err(|e| PortError::failed(format!("preparing the folder {}", folder.display()), e))?;
        let file = folder.join("store.redb");
        create(folder, &file)?;
        let store = Self::open_with(move || builder().create(&file))?;
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|e| PortError::failed(format!("syncing the folder {}", folder.display()), e))?;
        Ok(store)
    }

    /// Opens a store wherever `open` finds its database, now and after an I/O error.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        open: impl Fn() -> Result<Database, DatabaseError> + Send + Sync + 'static,
    ) -> PortResult<Self> {
        let database = Arc::new(Reopening::open(Box::new(open)).map_err(|e| as_port_error(e.into()))?);
        let watchers = Arc::new(Watchers::default());
        let writer = Writer::new(Arc::clone(&database), Arc::clone(&watchers));
        Ok(Self { group: Group::start("redb-writer", writer)?, database, watchers })
    }
}

/// redb set up as this adapter uses it.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Makes the file when it is missing: beside its place, then renamed. A power cut while redb lays it out leaves
/// nothing under its name that redb would not open.
fn create(folder: &Path, file: &Path) -> PortResult<()> {
    if file.exists() {
        return Ok(());
    }
    let new = folder.join("store.redb.new");
    let failed = |e| PortError::failed(format!("making {}", file.display()), e);
    match fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    drop(builder().create(&new).map_err(|e| as_port_error(e.into()))?);
    File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&new, file).map_err(failed)
}

/// Makes `folder`, durably: its entry in the folder above is synced too.
fn prepare(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    match folder.parent() {
        Some(above) if above != Path::new("") => File::open(above)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn get(&self, key: &[u8]) -> PortResult<Option<Entry>> {
        let (database, key) = (Arc::clone(&self.database), key.to_vec());
        let found =
            blocking(move || database.read(|table| Ok(table.get(key.as_slice())?.map(|v| entry(v.value())))));
        Ok(found.await?.flatten())
    }

    async fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> PortResult<Vec<(Vec<u8>, Entry)>> {
        let (database, prefix, start) =
            (Arc::clone(&self.database), prefix.to_vec(), prefix.max(from).to_vec());
        let found = blocking(move || {
            database.read(|table| {
                let found = table.range(start.as_slice()..)?.take(limit);
                let found =
                    found.map(|found| found.map(|(key, value)| (key.value().to_vec(), entry(value.value()))));
                let ends = |found: &Result<(Vec<u8>, Entry), StorageError>| match found {
                    Ok((key, _)) => key.starts_with(&prefix),
                    Err(_) => true,
                };
                found.take_while(ends).collect::<Result<Vec<_>, StorageError>>()
            })
        });
        Ok(found.await?.unwrap_or_default())
    }

    async fn commit(&self, batch: Batch) -> PortResult<()> {
        self.group.ask(batch).await
    }

    fn watch(&self, prefix: &[u8]) -> watch::Receiver<u64> {
        self.watchers.watch(prefix)
    }
}

fn entry((version, value): (u64, &[u8])) -> Entry {
    Entry { value: value.to_vec(), version }
}

/// Has `read` done where it may block.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> PortResult<T> + Send + 'static) -> PortResult<T> {
    let done = tokio::task::spawn_blocking(read).await;
    done.map_err(|e| PortError::failed("reading the store", e))?
}
