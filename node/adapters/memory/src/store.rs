//! The Store port on a map.

use async_trait::async_trait;
use ikigai_ports::PortResult;
use ikigai_ports::store::{Batch, Entry, Store, Watchers, resolve};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Ordered keys that last as long as the value itself: drop it, and they are gone.
#[derive(Debug, Default)]
pub struct MemoryStore {
    entries: Mutex<BTreeMap<Vec<u8>, Entry>>,
    watchers: Watchers,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Entry>> {
        // Changes are applied after all that can fail, so a panic leaves the map whole.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &[u8]) -> PortResult<Option<Entry>> {
        Ok(self.entries().get(key).cloned())
    }

    async fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> PortResult<Vec<(Vec<u8>, Entry)>> {
        let start = Bound::Included(prefix.max(from));
        let entries = self.entries();
        let found = entries.range::<[u8], _>((start, Bound::Unbounded));
        let found = found.take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(found.map(|(key, entry)| (key.clone(), entry.clone())).collect())
    }

    async fn commit(&self, batch: Batch) -> PortResult<()> {
        let mut entries = self.entries();
        let writes = resolve(batch, |key| Ok(entries.get(key).map(|entry| entry.version)))?;
        let keys: Vec<Vec<u8>> = writes.keys().cloned().collect();
        for (key, entry) in writes {
            match entry {
                Some(entry) => entries.insert(key, entry),
                None => entries.remove(&key),
            };
        }
        drop(entries);
        self.watchers.tell(keys.iter().map(Vec::as_slice));
        Ok(())
    }

    fn watch(&self, prefix: &[u8]) -> watch::Receiver<u64> {
        self.watchers.watch(prefix)
    }
}
