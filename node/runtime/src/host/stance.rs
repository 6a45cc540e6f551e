//! Whether this machine takes work, and by when it is to be empty: kept over a restart.

use super::{Host, Shared};
use ikigai_ports::store::{Batch, Entry};
use ikigai_ports::{PortError, PortResult};
use ikigai_task::Reason;
use ikigai_task::host::Breach;
use ikigai_types::{ProjectId, Timestamp};
use std::collections::BTreeSet;
use std::sync::MutexGuard;

/// Where it is kept that the node takes no new work.
const CORDONED: &[u8] = b"node/cordoned";
/// Where the time is kept at which agents are ended.
const DRAIN: &[u8] = b"node/drain";
/// Where it is kept whose objects are here.
const REPOSITORIES: &[u8] = b"repository/";
/// Repositories that are told to other nodes, at most.
const TOLD: usize = 64;

/// What this machine does about work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stance {
    /// No new work.
    pub(crate) cordoned: bool,
    /// What still runs at this time is ended.
    pub(crate) drain: Option<Timestamp>,
}

impl Host {
    /// Takes up what the store says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn restore_stance(&self) -> PortResult<()> {
        let store = &self.shared.parts.store;
        let cordoned = store.get(CORDONED).await?.is_some();
        let drain = store.get(DRAIN).await?.map(|e| time(&e)).transpose()?;
        *self.shared.stance() = Stance { cordoned, drain };
        let rows = store.scan(REPOSITORIES, REPOSITORIES, TOLD).await?;
        let names = rows.iter().filter_map(|(key, _)| key.strip_prefix(REPOSITORIES));
        let names = names.filter_map(|n| ProjectId::new(std::str::from_utf8(n).ok()?).ok());
        self.shared.repositories().extend(names);
        Ok(())
    }

    /// Takes work from now on, or none, or none and what runs is ended at a time; durable when it answers.
    ///
    /// # Errors
    /// When the store cannot be written; nothing changed then.
    pub(crate) async fn take(&self, stance: Stance) -> PortResult<()> {
        let batch = match stance.cordoned {
            true => Batch::default().put(CORDONED, b"1".as_slice()),
            false => Batch::default().delete(CORDONED),
        };
        let batch = match stance.drain {
            Some(at) => batch.put(DRAIN, at.0.to_string().into_bytes()),
            None => batch.delete(DRAIN),
        };
        self.shared.parts.store.commit(batch).await?;
        *self.shared.stance() = stance;
        self.shared.changed.send_modify(|n| *n += 1);
        Ok(())
    }
}

impl Shared {
    pub(super) fn stance(&self) -> MutexGuard<'_, Stance> {
        self.stance.lock().expect("invariant: no panic while it is held")
    }

    pub(super) fn repositories(&self) -> MutexGuard<'_, BTreeSet<ProjectId>> {
        self.repositories.lock().expect("invariant: no panic while it is held")
    }

    /// Why an attempt here is to end at `now`, when the node is being emptied and the grace is over.
    pub(super) fn drained(&self, now: Timestamp) -> Option<Breach> {
        let over = self.stance().drain.is_some_and(|at| at <= now);
        over.then(|| Breach { reason: Reason::Drained, detail: "its node is being emptied".to_owned() })
    }

    /// The objects of `project` are here: other tasks of it start faster here than elsewhere.
    pub(super) async fn has_objects(&self, project: &ProjectId) -> PortResult<()> {
        if self.repositories().contains(project) || self.repositories().len() >= TOLD {
            return Ok(());
        }
        let key = [REPOSITORIES, project.as_str().as_bytes()].concat();
        self.parts.store.commit(Batch::default().put(key, b"1".as_slice())).await?;
        self.repositories().insert(project.clone());
        self.changed.send_modify(|n| *n += 1);
        Ok(())
    }
}

fn time(entry: &Entry) -> PortResult<Timestamp> {
    let text = std::str::from_utf8(&entry.value).ok();
    let at = text.and_then(|t| t.parse().ok()).map(Timestamp);
    at.ok_or_else(|| PortError::Corrupt("the time by which the node is to be empty".to_owned()))
}
