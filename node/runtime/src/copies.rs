//! Copies of other owners' logs: what a person needs to move a task here when its owner is gone. A copy shows and
//! grants nothing; only [`crate::handle`]'s adoption makes an owner of who has one.

use crate::Parts;
use crate::mesh::Neighbours;
use crate::owner::OwnerHandle;
use ikigai_ports::store::Batch;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::{Input, Owner, Policy, Record};
use ikigai_types::{NodeId, TaskId};
use ikigai_wire::peer::{Adopted, Copied, CopyAsk};
use ikigai_wire::record::{CopyRecord, decode, encode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// Where they are kept: the owner, then what is known of its log or the number of a record.
const COPIES: &[u8] = b"copy/";
/// How long after a call that failed the next one is made.
const PAUSE: Duration = Duration::from_secs(1);
/// Moved tasks that their last owner is told of in one call.
const TOLD: usize = 256;

/// What this node knows of other owners' tasks. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Copies {
    parts: Parts,
    known: Arc<Mutex<BTreeMap<NodeId, Copy>>>,
}

/// One owner's log, as far as it was copied.
#[derive(Debug)]
struct Copy {
    /// Names its log.
    log: String,
    /// Number of its last record.
    last: u64,
    /// What the records amount to.
    tasks: Owner,
}

impl Copies {
    /// Reads what is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn open(parts: &Parts) -> PortResult<Self> {
        let copies = Self { parts: parts.clone(), known: Arc::default() };
        for (key, entry) in parts.store.scan(COPIES, COPIES, usize::MAX).await? {
            let Some(owner) = owner_of(&key) else { continue };
            let row: CopyRecord =
                decode(&entry.value).map_err(|e| PortError::Corrupt(format!("copied log: {e}")))?;
            copies.known().entry(owner).or_insert_with(|| Copy::new(owner, &row.log)).take(&row);
        }
        Ok(copies)
    }

    /// Looks at the tasks of `owner`.
    pub(crate) fn look<T>(&self, owner: &NodeId, look: impl FnOnce(&Owner) -> T) -> Option<T> {
        self.known().get(owner).map(|c| look(&c.tasks))
    }

    /// Whether the log of `owner` was copied.
    pub(crate) fn knows(&self, owner: &NodeId) -> bool {
        self.known().contains_key(owner)
    }

    /// Owners whose tasks are known.
    pub(crate) fn owners(&self) -> Vec<NodeId> {
        self.known().keys().copied().collect()
    }

    /// The log of `task`, as `owner` wrote it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn records(&self, owner: &NodeId, task: &TaskId) -> PortResult<Vec<Record>> {
        let prefix = prefix(owner);
        let rows = self.parts.store.scan(&prefix, &prefix, usize::MAX).await?;
        let mut records = Vec::new();
        for (_, entry) in rows {
            let row: CopyRecord =
                decode(&entry.value).map_err(|e| PortError::Corrupt(format!("copied log: {e}")))?;
            records.extend(Some(row.record).filter(|r| r.task == *task));
        }
        Ok(records)
    }

    /// Copies what every other node logs, until dropped.
    pub(crate) async fn follow(self, me: NodeId, neighbours: Arc<Neighbours>, owner: OwnerHandle) {
        let mut changes = neighbours.changes();
        let mut followed: BTreeMap<NodeId, AbortHandle> = BTreeMap::new();
        let mut following = JoinSet::new();
        loop {
            changes.borrow_and_update();
            let known = neighbours.all();
            followed.retain(|node, task| {
                known.contains_key(node) || {
                    task.abort();
                    false
                }
            });
            for node in known.into_keys().filter(|n| !followed.contains_key(n)).collect::<Vec<_>>() {
                let task = following.spawn(self.clone().follow_one(me, node, owner.clone()));
                followed.insert(node, task);
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn follow_one(self, me: NodeId, node: NodeId, owner: OwnerHandle) {
        loop {
            if let Err(error) = self.ask(me, node, &owner).await {
                tracing::debug!(node = %node.short(), error = error.chain(), "its log is not copied now");
                self.parts.clock.sleep(PAUSE).await;
            }
        }
    }

    /// Asks for what is new, which is answered when there is something; tells what was moved here meanwhile.
    async fn ask(&self, me: NodeId, node: NodeId, owner: &OwnerHandle) -> PortResult<()> {
        let stopping = || PortError::unavailable("the owner", "its node is stopping");
        let moved = move |o: &Owner| {
            let from = o.tasks().values().filter(|t| t.adopted_from == Some(node)).take(TOLD);
            from.map(|t| Adopted { task: t.spec.id.clone(), epoch: t.epoch }).collect::<Vec<_>>()
        };
        let adopted = owner.look(moved).await.map_err(|_| stopping())?;
        let (log, after) = self.known().get(&node).map_or((None, 0), |c| (Some(c.log.clone()), c.last));
        let asked: BTreeSet<_> = adopted.iter().map(|a| a.task.clone()).collect();
        let copied = self.parts.peer(node)?.copy(me, CopyAsk { log, after, adopted }).await?;
        // Only what was taken from it can it want back.
        for task in copied.kept.iter().filter(|task| asked.contains(*task)) {
            self.give_back(node, task, owner).await;
        }
        self.keep(node, copied).await
    }

    /// The last owner is there and does not let go: it accepted the task, or is merging it.
    async fn give_back(&self, node: NodeId, task: &TaskId, owner: &OwnerHandle) {
        let id = task.clone();
        let Ok(Some(epoch)) = owner.look(move |o| o.task(&id).map(|t| t.epoch)).await else { return };
        let cede = Input::Cede(task.clone(), epoch.taken_over(), node);
        if let Err(error) = owner.input(cede).await {
            tracing::error!(%task, node = %node.short(), %error, "two owners accepted it");
        }
    }

    async fn keep(&self, node: NodeId, copied: Copied) -> PortResult<()> {
        let Copied { log, first, records, .. } = copied;
        let mut batch = Batch::default();
        let (other, last) = self.known().get(&node).map_or((true, 0), |c| (c.log != log, c.last));
        if other {
            let prefix = prefix(&node);
            for (key, _) in self.parts.store.scan(&prefix, &prefix, usize::MAX).await? {
                batch = batch.delete(key);
            }
        } else if first > last + 1 {
            return Err(PortError::Corrupt("a log that is copied has a hole".to_owned()));
        }
        let rows: Vec<_> = (first..).zip(records).filter(|(n, _)| other || *n > last).collect();
        let rows: Vec<_> =
            rows.into_iter().map(|(n, record)| CopyRecord { log: log.clone(), n, record }).collect();
        for row in &rows {
            batch =
                batch.put([&prefix(&node)[..], format!("{:020}", row.n).as_bytes()].concat(), encode(row));
        }
        if other || !rows.is_empty() {
            self.parts.store.commit(batch).await?;
        }
        let mut known = self.known();
        if other {
            known.insert(node, Copy::new(node, &log));
        }
        if let Some(copy) = known.get_mut(&node) {
            rows.iter().for_each(|row| copy.take(row));
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<NodeId, Copy>> {
        self.known.lock().expect("invariant: no panic while copies are held")
    }
}

impl Copy {
    fn new(owner: NodeId, log: &str) -> Self {
        Self { log: log.to_owned(), last: 0, tasks: Owner::new(owner, Policy::default()) }
    }

    fn take(&mut self, row: &CopyRecord) {
        self.last = row.n;
        self.tasks.follow(&row.record);
    }
}

fn prefix(owner: &NodeId) -> Vec<u8> {
    format!("copy/{owner}/").into_bytes()
}

fn owner_of(key: &[u8]) -> Option<NodeId> {
    let rest = std::str::from_utf8(key.strip_prefix(COPIES)?).ok()?;
    rest.split_once('/')?.0.parse().ok()
}
