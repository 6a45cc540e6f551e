//! What a node stores: the owner's log and the notes of a holder, one JSON document each.

use crate::peer::Ended;
use ikigai_task::{Follow, Record, TaskSpec};
use ikigai_types::{Commit, Lease, Usage, WorkloadId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A stored document that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// It was written by a newer program.
    #[error("stored document has version {0}, this program reads up to {VERSION}")]
    Newer(u32),
    /// It is not what was written.
    #[error("stored document is damaged")]
    Damaged(#[from] serde_json::Error),
}

/// Version of everything stored; a reader refuses a higher one.
pub const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    v: u32,
    #[serde(flatten)]
    body: T,
}

#[derive(Deserialize)]
struct OnlyVersion {
    v: u32,
}

/// The bytes of a document.
///
/// # Panics
/// Never for the types of this module: they have string keys and no failing serializer.
pub fn encode<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(&Stored { v: VERSION, body }).expect("invariant: stored types serialize")
}

/// The document of some bytes.
///
/// # Errors
/// When it is of a newer version, or damaged.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoredError> {
    let OnlyVersion { v } = serde_json::from_slice(bytes)?;
    if v > VERSION {
        return Err(StoredError::Newer(v));
    }
    Ok(serde_json::from_slice::<Stored<T>>(bytes)?.body)
}

/// The owner's log entry, as it is stored.
pub type StoredRecord = Record;

/// What the holder of a lease notes before it acts, so that a restart goes on where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// The lease.
    pub lease: Lease,
    /// Milliseconds it is good for without being renewed.
    #[serde(default = "minute")]
    pub lease_ms: u64,
    /// The task.
    pub spec: TaskSpec,
    /// What the agent is told.
    pub prompt: String,
    /// What its result is compared with, fixed by the owner.
    pub base: Commit,
    /// What it works from, when that is what an earlier attempt left.
    #[serde(default)]
    pub from: Option<Commit>,
    /// What the executor calls it, once it was launched.
    #[serde(default)]
    pub workload: Option<WorkloadId>,
    /// What it used so far.
    #[serde(default)]
    pub usage: Usage,
    /// Milliseconds it ran before the last restart.
    #[serde(default)]
    pub ran_ms: u64,
    /// What it is told of the attempt it follows.
    #[serde(default)]
    pub follow: Option<Follow>,
    /// Session of that attempt that its agent goes on with.
    #[serde(default)]
    pub resume: Option<String>,
    /// Session the agent CLI named.
    #[serde(default)]
    pub session: Option<String>,
    /// How it ended, once that is to be handed over: from then on it has no room here and is not run again.
    #[serde(default)]
    pub ended: Option<Ended>,
    /// Its result was handed over; only the editor holds it here.
    #[serde(default)]
    pub delivered: bool,
}

/// One entry of another owner's log, copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRecord {
    /// Names the log.
    pub log: String,
    /// Its number there.
    pub n: u64,
    /// The entry.
    pub record: Record,
}

const fn minute() -> u64 {
    60_000
}
