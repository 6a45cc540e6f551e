//! sled's tree as readers may see it: whole batches, and only what is durable.

use ikigai_ports::store::Entry;
use ikigai_ports::store::resolve::Writes;
use ikigai_ports::{PortError, PortResult};
use sled::IVec;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The tree, and what stands before the group of batches that is applied but not durable yet.
#[derive(Debug)]
pub(crate) struct Tree(RwLock<State>);

#[derive(Debug)]
struct State {
    db: sled::Db,
    /// For each key the group writes, what was there before.
    before: BTreeMap<Vec<u8>, Option<IVec>>,
}

impl Tree {
    pub(crate) fn new(db: sled::Db) -> Self {
        Self(RwLock::new(State { db, before: BTreeMap::new() }))
    }

    /// The durable entry of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> PortResult<Option<Entry>> {
        let state = self.read();
        let stored = match state.before.get(key) {
            Some(before) => before.clone(),
            None => state.db.get(key).map_err(as_port_error)?,
        };
        stored.map(|stored| decode(&stored)).transpose()
    }

    /// Up to `limit` durable entries with `prefix` from key `start` on.
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        start: &[u8],
        limit: usize,
    ) -> PortResult<Vec<(Vec<u8>, Entry)>> {
        let state = self.read();
        let mut found = Vec::new();
        for stored in state.db.range(start..) {
            let (key, stored) = stored.map_err(as_port_error)?;
            if found.len() >= limit || !key.starts_with(prefix) {
                break;
            }
            if !state.before.contains_key(&*key) {
                found.push((key.to_vec(), decode(&stored)?));
            }
        }
        let before = state.before.range(start.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        for (key, stored) in before.filter_map(|(key, stored)| Some((key, stored.as_ref()?))) {
            found.push((key.clone(), decode(stored)?));
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        found.truncate(limit);
        Ok(found)
    }

    /// The version of `key`, not durable yet or not.
    pub(crate) fn version(&self, key: &[u8]) -> PortResult<Option<u64>> {
        let stored = self.read().db.get(key).map_err(as_port_error)?;
        stored.map(|stored| version(&stored)).transpose()
    }

    /// Applies the writes of a group, which readers do not see before [`Self::show`]. One sled batch, because
    /// sled seals each with its own pass over the log.
    pub(crate) fn apply(&self, writes: &Writes) -> PortResult<()> {
        let mut batch = sled::Batch::default();
        for (key, entry) in writes {
            match entry {
                Some(entry) => batch.insert(key.as_slice(), encode(entry)),
                None => batch.remove(key.as_slice()),
            }
        }
        let mut state = self.write();
        for key in writes.keys() {
            let before = state.db.get(key).map_err(as_port_error)?;
            state.before.insert(key.clone(), before);
        }
        state.db.apply_batch(batch).map_err(as_port_error)
    }

    /// Has sled hand its log to the kernel.
    pub(crate) fn flush(&self) -> PortResult<()> {
        self.read().db.flush().map(drop).map_err(as_port_error)
    }

    /// Lets readers see what was applied, because it is durable now.
    pub(crate) fn show(&self) {
        self.write().before.clear();
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry as sled keeps it: eight bytes of version, then the value.
fn encode(entry: &Entry) -> Vec<u8> {
    [&entry.version.to_le_bytes(), entry.value.as_slice()].concat()
}

fn decode(stored: &[u8]) -> PortResult<Entry> {
    let version = version(stored)?;
    Ok(Entry { value: stored[8..].to_vec(), version })
}

fn version(stored: &[u8]) -> PortResult<u64> {
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
