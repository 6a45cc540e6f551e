//! Ordered keys on one node: the only durable truth the correctness core has.

pub mod resolve;
pub mod watchers;

pub use resolve::resolve;
pub use watchers::Watchers;

use crate::PortResult;
use async_trait::async_trait;
use std::fmt;
use tokio::sync::watch;

/// Ordered byte keys, each with a version that grows with every write of that key.
///
/// * A `commit` that answered is on disk: it survives the crash of the process and of the machine.
/// * A `commit` is all or nothing, also over a crash in the middle of it.
/// * Commits are seen by every later `get` and `scan` on the same store; a `scan` sees each commit whole or
///   not at all.
/// * Many `commit`s at once share one flush.
/// * Dropping a `commit` future may or may not have committed; nothing else is lost.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The value of `key` and its version, or `None`.
    async fn get(&self, key: &[u8]) -> PortResult<Option<Entry>>;

    /// Up to `limit` entries whose key begins with `prefix` and is ≥ `from` (pass `prefix` itself for the
    /// beginning), in key order.
    async fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> PortResult<Vec<(Vec<u8>, Entry)>>;

    /// Applies `batch` durably, or answers [`crate::PortError::Conflict`] and changes nothing when an
    /// expected version does not hold.
    async fn commit(&self, batch: Batch) -> PortResult<()>;

    /// Tells of every commit from now on that touches a key with `prefix`. Lossy by merging: a slow
    /// reader sees one wake-up for many commits, never none.
    fn watch(&self, prefix: &[u8]) -> watch::Receiver<u64>;
}

/// A value and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes written.
    pub value: Vec<u8>,
    /// 1 for the first write of a key since it was last absent, one more for each later write.
    pub version: u64,
}

/// What a commit expects of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// The key is not there.
    Absent,
    /// The key has this version.
    Version(u64),
}

/// The longest key, in bytes; the shortest is one byte.
pub const MAX_KEY: usize = 1 << 10;

/// The most a batch may weigh (see [`Batch::weight`]): 16 MiB.
pub const MAX_BATCH: usize = 16 << 20;

/// Writes that happen together or not at all. Later operations on a key win: each key a batch names is
/// written once, with its last operation, and all conditions are asked of the state before the batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Conditions that must all hold before the writes.
    pub expect: Vec<(Vec<u8>, Expect)>,
    /// Writes in order: `Some` puts, `None` deletes.
    pub writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Adds a write.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.writes.push((key.into(), Some(value.into())));
        self
    }

    /// Adds a removal.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.writes.push((key.into(), None));
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn expect(mut self, key: impl Into<Vec<u8>>, expect: Expect) -> Self {
        self.expect.push((key.into(), expect));
        self
    }

    /// The bytes of all keys and values, which every backend bounds by [`MAX_BATCH`].
    pub fn weight(&self) -> usize {
        let expected: usize = self.expect.iter().map(|(key, _)| key.len()).sum();
        let written: usize = self.writes.iter().map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len)).sum();
        expected + written
    }
}
