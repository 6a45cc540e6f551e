//! The owner's durable log on any store: append, replay, read on.

use ikigai_ports::store::{Batch, Expect};
use ikigai_ports::{PortError, PortResult, Store};
use ikigai_task::Record;
use ikigai_wire::record::{decode, encode};
use std::sync::Arc;
use tokio::sync::watch;

const EVENTS: &[u8] = b"ev/";
const EPOCH: &[u8] = b"meta/log-epoch";
const PAGE: usize = 1024;

/// Records in the order they happened, numbered from 1.
#[derive(Debug)]
pub struct Journal {
    store: Arc<dyn Store>,
    epoch: String,
    last: watch::Sender<u64>,
}

impl Journal {
    /// Opens the log of `store` and answers it with everything in it. A new log gets `fresh` as its epoch:
    /// a cursor of another log is told apart by it.
    ///
    /// # Errors
    /// When the store cannot be read or holds a record that is not whole.
    pub async fn open(store: Arc<dyn Store>, fresh: String) -> PortResult<(Self, Vec<Record>)> {
        let epoch = match store.get(EPOCH).await? {
            Some(entry) => {
                String::from_utf8(entry.value).map_err(|_| PortError::Corrupt("log epoch".to_owned()))?
            }
            None => {
                store
                    .commit(Batch::default().expect(EPOCH, Expect::Absent).put(EPOCH, fresh.as_bytes()))
                    .await?;
                fresh
            }
        };
        let journal = Self { store, epoch, last: watch::Sender::new(0) };
        let mut all = Vec::new();
        let mut from = 1;
        loop {
            let page = journal.read(from, PAGE).await?;
            let Some((n, _)) = page.last() else { break };
            from = n + 1;
            all.extend(page.into_iter().map(|(_, record)| record));
        }
        journal.last.send_replace(from - 1);
        Ok((journal, all))
    }

    /// The log's epoch: part of every cursor.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The number of the last record, and each later one.
    pub fn last(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Writes records; when it answers they are on disk. Only the owner's driver calls it.
    ///
    /// # Errors
    /// When the store cannot write them now; nothing was written then.
    pub async fn append(&self, records: &[Record]) -> PortResult<()> {
        let mut n = *self.last.borrow();
        let mut batch = Batch::default();
        for record in records {
            n += 1;
            batch = batch.expect(key(n), Expect::Absent).put(key(n), encode(record));
        }
        self.store.commit(batch).await?;
        self.last.send_replace(n);
        Ok(())
    }

    /// Up to `limit` records numbered ≥ `from`.
    ///
    /// # Errors
    /// When the store cannot be read or a record is not whole.
    pub async fn read(&self, from: u64, limit: usize) -> PortResult<Vec<(u64, Record)>> {
        let rows = self.store.scan(EVENTS, &key(from), limit).await?;
        rows.into_iter().map(|(k, entry)| Ok((number(&k)?, record(&entry.value)?))).collect()
    }
}

fn key(n: u64) -> Vec<u8> {
    format!("ev/{n:020}").into_bytes()
}

fn number(key: &[u8]) -> PortResult<u64> {
    let text = std::str::from_utf8(&key[EVENTS.len()..]).ok();
    text.and_then(|t| t.parse().ok()).ok_or_else(|| PortError::Corrupt("event key".to_owned()))
}

fn record(bytes: &[u8]) -> PortResult<Record> {
    decode(bytes).map_err(|e| PortError::Corrupt(format!("event log: {e}")))
}
