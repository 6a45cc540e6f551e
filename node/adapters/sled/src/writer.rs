//! The one thread that writes: a group of batches is applied, flushed and synced together.

use crate::store::{Applied, as_port_error, encode, version};
use crate::sync::Syncer;
use ikigai_ports::group::Flush;
use ikigai_ports::store::{Batch, Watchers, resolve};
use ikigai_ports::{PortError, PortResult};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Writer {
    tree: Arc<Applied>,
    watchers: Arc<Watchers>,
    syncer: Box<dyn Syncer>,
    folder: PathBuf,
    /// Why nothing is committed any more.
    broken: Option<String>,
}

impl Writer {
    pub(crate) fn new(
        tree: Arc<Applied>,
        watchers: Arc<Watchers>,
        syncer: Box<dyn Syncer>,
        folder: PathBuf,
    ) -> Self {
        Self { tree, watchers, syncer, folder, broken: None }
    }

    /// Decides and applies one batch; the keys it wrote.
    fn apply(&self, batch: Batch) -> PortResult<Vec<Vec<u8>>> {
        let writes = resolve(batch, |key| {
            let stored = self.tree.read(|tree| tree.get(key))?;
            stored.map(|stored| version(&stored)).transpose()
        })?;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let mut applied = sled::Batch::default();
        for (key, entry) in &writes {
            match entry {
                Some(entry) => applied.insert(key.as_slice(), encode(entry)),
                None => applied.remove(key.as_slice()),
            }
        }
        self.tree.write(|tree| tree.apply_batch(applied))?;
        Ok(writes.into_keys().collect())
    }

    /// Puts what was applied on the disk.
    fn make_durable(&mut self) -> PortResult<()> {
        self.syncer.sync_new(&self.folder).map_err(|e| as_port_error(e.into()))?;
        self.tree.read(|tree| tree.flush())?;
        self.syncer.sync(&self.folder).map_err(|e| as_port_error(e.into()))
    }

    fn refusals(&self, count: usize, why: &str) -> Vec<PortResult<()>> {
        (0..count).map(|_| Err(PortError::unavailable("the store", why))).collect()
    }
}

impl Flush for Writer {
    type Ask = Batch;
    type Answer = ();

    fn weight(batch: &Batch) -> usize {
        batch.weight()
    }

    fn flush(&mut self, batches: Vec<Batch>) -> Vec<PortResult<()>> {
        let count = batches.len();
        if let Some(why) = &self.broken {
            return self.refusals(count, why);
        }
        let applied: Vec<PortResult<Vec<Vec<u8>>>> =
            batches.into_iter().map(|batch| self.apply(batch)).collect();
        let written: Vec<&[u8]> = applied.iter().flatten().flatten().map(Vec::as_slice).collect();
        if !written.is_empty()
            && let Err(error) = self.make_durable()
        {
            let why = format!("{}; start the node again", error.chain());
            tracing::error!(error = why, "the store could not be made durable");
            let refusals = self.refusals(count, &why);
            self.broken = Some(why);
            return refusals;
        }
        self.watchers.tell(written);
        applied.into_iter().map(|done| done.map(|_| ())).collect()
    }
}
