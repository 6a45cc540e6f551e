//! What the nodes have on their disks at the end: the owner's log, and notes of attempts.

use crate::cluster::Cluster;
use ikigai_ports::Store as _;
use ikigai_sled::SledStore;
use ikigai_task::{Event, Record};
use ikigai_types::{Epoch, Fence, TaskId};
use ikigai_wire::record::decode;
use std::collections::BTreeMap;

/// The end of an attempt was told again, since the answer to it was lost.
const TAKEN: &str = "which was taken before";

impl Cluster {
    /// Ends every node and reads what is on disk: each task was merged once, its epochs only grew, whatever was
    /// refused came under a lease that had ended, and no node has a note of an attempt.
    pub async fn check_disks(&mut self) {
        for at in 0..self.nodes.len() {
            self.kill(at).await;
            let notes = self.rows(at, "host/").await;
            assert!(notes.is_empty(), "node {at} has notes: {:?}", notes.keys());
        }
        let rows = self.rows(0, "ev/").await;
        let log: Vec<Record> = rows.values().map(|bytes| decode(bytes).unwrap()).collect();
        check(&log, self.shape.tasks);
    }

    async fn rows(&self, at: usize, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = self.nodes[at].home().join("store/sled");
        let store = tokio::task::spawn_blocking(|| SledStore::open(folder)).await.unwrap().unwrap();
        let rows = store.scan(prefix.as_bytes(), prefix.as_bytes(), usize::MAX).await.unwrap();
        rows.into_iter().map(|(key, entry)| (String::from_utf8(key).unwrap(), entry.value)).collect()
    }
}

fn check(log: &[Record], tasks: usize) {
    let mut epochs: BTreeMap<&TaskId, Epoch> = BTreeMap::new();
    let mut merged: BTreeMap<&TaskId, &Fence> = BTreeMap::new();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut late = Vec::new();
    for (n, record) in log.iter().enumerate() {
        match &record.event {
            Event::Granted { lease, .. } => {
                let before = epochs.insert(&record.task, lease.fence.epoch);
                assert!(
                    before < Some(lease.fence.epoch),
                    "{} did not raise the epoch {before:?}",
                    lease.fence
                );
            }
            Event::Declined { .. } => *ends.entry("declined").or_default() += 1,
            Event::Ended { reason, .. } => *ends.entry(reason.map_or("done", |r| r.name())).or_default() += 1,
            Event::Merged { fence, .. } => {
                let before = merged.insert(&record.task, fence);
                assert!(before.is_none(), "{fence} was merged beside {before:?}");
            }
            Event::StaleRefused { fence, what, .. } => {
                let cause = cause(fence, &log[..n]).unwrap_or_else(|| panic!("{}", story(log, fence)));
                *refused.entry(format!("{what}, {cause}")).or_default() += 1;
                late.extend((cause != TAKEN).then_some(fence));
            }
            _ => {}
        }
    }
    assert_eq!(merged.len(), tasks, "not every task was merged");
    let bad: Vec<_> = late.into_iter().filter(|f| merged.get(&f.attempt.task) == Some(f)).collect();
    assert!(bad.is_empty(), "refused and merged all the same: {bad:?}");
    println!("{} events; each of {tasks} tasks merged once; attempts: {ends:?}", log.len());
    println!("refused as stale: {refused:?}");
}

/// Why something under `fence` was refused: what ended its lease before.
fn cause(fence: &Fence, before: &[Record]) -> Option<&'static str> {
    before.iter().find_map(|record| match &record.event {
        Event::Ended { fence: f, reason: None, .. } if f == fence => Some(TAKEN),
        Event::Ended { fence: f, reason: Some(reason), .. } if f == fence => Some(reason.name()),
        Event::Declined { fence: f, .. } if f == fence => Some("of an offer that had no answer in time"),
        _ => None,
    })
}

fn story(log: &[Record], fence: &Fence) -> String {
    let of = log.iter().filter(|r| r.task == fence.attempt.task);
    let of: String = of.map(|r| format!("\n{} {:?} {:?}", r.at.0, r.event, r.state)).collect();
    format!("something was refused under {fence}, whose lease had not ended:{of}")
}
