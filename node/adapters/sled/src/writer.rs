//! The one thread that writes: a group of batches is applied, flushed and synced together.

use crate::sync::Syncer;
use crate::tree::{Tree, as_port_error};
use ikigai_ports::group::Flush;
use ikigai_ports::store::resolve::Writes;
use ikigai_ports::store::{Batch, Watchers, resolve};
use ikigai_ports::{PortError, PortResult};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Writer {
    tree: Arc<Tree>,
    watchers: Arc<Watchers>,
    syncer: Box<dyn Syncer>,
    folder: PathBuf,
    /// Why nothing is committed any more.
    broken: Option<String>,
}

impl Writer {
    pub(crate) fn new(
        tree: Arc<Tree>,
        watchers: Arc<Watchers>,
        syncer: Box<dyn Syncer>,
        folder: PathBuf,
    ) -> Self {
        Self { tree, watchers, syncer, folder, broken: None }
    }

    /// Decides one batch after those of the group before it, whose writes `group` holds and to which it adds.
    fn decide(&self, batch: Batch, group: &mut Writes) -> PortResult<()> {
        let writes = resolve(batch, |key| match group.get(key) {
            Some(written) => Ok(written.as_ref().map(|entry| entry.version)),
            None => self.tree.version(key),
        })?;
        group.extend(writes);
        Ok(())
    }

    /// Puts what was applied on the disk.
    fn make_durable(&mut self) -> PortResult<()> {
        self.syncer.sync_new(&self.folder).map_err(|e| as_port_error(e.into()))?;
        self.tree.flush()?;
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
        let mut group = Writes::new();
        let answers: Vec<PortResult<()>> =
            batches.into_iter().map(|batch| self.decide(batch, &mut group)).collect();
        if !group.is_empty()
            && let Err(error) = self.tree.apply(&group).and_then(|()| self.make_durable())
        {
            let why = format!("{}; start the node again", error.chain());
            tracing::error!(error = why, "the store could not be made durable");
            let refusals = self.refusals(count, &why);
            self.broken = Some(why);
            return refusals;
        }
        self.tree.show();
        self.watchers.tell(group.keys().map(Vec::as_slice));
        answers
    }
}
