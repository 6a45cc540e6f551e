//! The audit log: every write that was let through and everything that was refused, each with who, what and what
//! came of it. One task writes, so that the chain has one end; many entries share one flush of the store.

use crate::authority::now;
use ikigai_access::audit::{Chain, Deed, Entry, Fault};
use ikigai_ports::store::Batch;
use ikigai_ports::{PortError, PortResult, Store};
use ikigai_wire::record::{decode, encode};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Where entries are: this, then the number, so that they are in order.
const PREFIX: &[u8] = b"access/audit/";
/// Most entries that are kept; the oldest goes when there is one more.
const KEPT: u64 = 20_000;
/// Entries that wait to be written; then writers wait, and refusals are only counted.
const WAITING: usize = 256;
/// Entries that are written at once.
const AT_ONCE: usize = 64;
/// Most refusals of nobody in particular that are noted in a minute; the others are counted. Without a bound,
/// whoever can reach a port could push everything else out of the log.
const STRANGERS: u32 = 30;

/// The log of one node; a log without a store keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    kept: Option<Kept>,
    strangers: Mutex<Strangers>,
}

#[derive(Debug)]
struct Kept {
    store: Arc<dyn Store>,
    lines: mpsc::Sender<(Deed, Option<oneshot::Sender<()>>)>,
}

/// Refusals of nobody in particular in this minute.
#[derive(Debug, Default)]
struct Strangers {
    minute: u64,
    noted: u32,
    uncounted: u64,
}

impl Audit {
    /// Goes on with the log in `store`.
    pub(crate) async fn kept_in(store: Arc<dyn Store>) -> PortResult<Self> {
        let (chain, first) = ends(&*store).await?;
        let (lines, inbox) = mpsc::channel(WAITING);
        tokio::spawn(write(store.clone(), chain, first, inbox));
        Ok(Self { kept: Some(Kept { store, lines }), strangers: Mutex::default() })
    }

    /// Notes a decision; it is on disk when this answers, unless the store fails, which the node's log then says.
    pub(crate) async fn note(&self, deed: Deed) {
        let Some(kept) = &self.kept else { return };
        let (done, written) = oneshot::channel();
        if kept.lines.send((deed, Some(done))).await.is_err() || written.await.is_err() {
            tracing::error!("the audit log cannot be written");
        }
    }

    /// Notes a refusal soon. There may be many: what is too much is counted, and the number is noted later.
    pub(crate) fn refused(&self, deed: Deed) {
        let Some(kept) = &self.kept else { return };
        let uncounted = match self.count() {
            Some(uncounted) => uncounted,
            None => return,
        };
        if uncounted > 0 {
            let what = format!("{uncounted} more requests were refused and not noted one by one");
            let _ = kept.lines.try_send((Deed { what, action: "-".to_owned(), ..deed.clone() }, None));
        }
        if kept.lines.try_send((deed, None)).is_err() {
            self.strangers.lock().unwrap_or_else(PoisonError::into_inner).uncounted += 1;
        }
    }

    /// `None` when this minute had enough; else how many were not noted before.
    fn count(&self) -> Option<u64> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now().0 / 60_000;
        if strangers.minute != minute {
            strangers.minute = minute;
            strangers.noted = 0;
        }
        if strangers.noted >= STRANGERS {
            strangers.uncounted += 1;
            return None;
        }
        strangers.noted += 1;
        Some(std::mem::take(&mut strangers.uncounted))
    }

    /// Up to `limit` entries before number `before`, the newest first.
    pub(crate) async fn read(&self, before: Option<u64>, limit: usize) -> PortResult<Vec<Entry>> {
        let Some(kept) = &self.kept else { return Ok(Vec::new()) };
        let end = match before {
            Some(before) => before,
            None => last(&*kept.store).await?.map_or(1, |e| e.seq + 1),
        };
        let from = end.saturating_sub(limit as u64).max(1);
        let found = kept.store.scan(PREFIX, &key(from), limit).await?;
        let mut entries = found.iter().map(|(_, e)| entry(&e.value)).collect::<PortResult<Vec<_>>>()?;
        entries.retain(|e| e.seq < end);
        entries.reverse();
        Ok(entries)
    }

    /// How many entries there are, the first and the last, and the fault in them, if there is one.
    pub(crate) async fn verify(&self) -> PortResult<(u64, Option<Entry>, Option<Fault>)> {
        let Some(kept) = &self.kept else { return Ok((0, None, None)) };
        let (mut count, mut chain, mut newest): (u64, Option<Chain>, Option<Entry>) = (0, None, None);
        loop {
            let from = newest.as_ref().map_or_else(|| PREFIX.to_vec(), |e| key(e.seq + 1));
            let page = kept.store.scan(PREFIX, &from, 512).await?;
            if page.is_empty() {
                return Ok((count, newest, None));
            }
            for (at, stored) in page {
                let next = entry(&stored.value)?;
                let is_placed = at == key(next.seq);
                let followed = match &mut chain {
                    Some(chain) => chain.check(&next),
                    // The first that is kept; what was before it has been let go of.
                    None if next.seq == 1 => Chain::new().check(&next),
                    None => Ok(()),
                };
                let fault = followed.err().or_else(|| (!is_placed).then_some(Fault::Changed(next.seq)));
                if fault.is_some() {
                    return Ok((count, newest, fault));
                }
                chain = Some(Chain::after(&next));
                count += 1;
                newest = Some(next);
            }
        }
    }
}

/// Writes what comes until nobody can send any more.
async fn write(
    store: Arc<dyn Store>,
    mut chain: Chain,
    mut first: u64,
    mut inbox: mpsc::Receiver<(Deed, Option<oneshot::Sender<()>>)>,
) {
    let mut waiting = Vec::with_capacity(AT_ONCE);
    while inbox.recv_many(&mut waiting, AT_ONCE).await > 0 {
        let (before, first_before) = (chain.clone(), first);
        let mut batch = Batch::default();
        let mut told = Vec::new();
        for (deed, done) in waiting.drain(..) {
            let entry = chain.add(deed);
            batch = batch.put(key(entry.seq), encode(&entry));
            while entry.seq >= first + KEPT {
                batch = batch.delete(key(first));
                first += 1;
            }
            told.extend(done);
        }
        match store.commit(batch).await {
            // Who does not wait any more needs no answer.
            Ok(()) => told.into_iter().for_each(|done| done.send(()).unwrap_or_default()),
            Err(error) => {
                tracing::error!(%error, "the audit log cannot be written");
                (chain, first) = (before, first_before);
            }
        }
    }
}

/// Where the chain goes on, and the number of the first entry that is kept.
async fn ends(store: &dyn Store) -> PortResult<(Chain, u64)> {
    let newest = last(store).await?;
    let oldest = store.scan(PREFIX, PREFIX, 1).await?;
    let oldest = oldest.first().and_then(|(k, _)| number(k)).unwrap_or(1);
    Ok((newest.as_ref().map_or_else(Chain::new, Chain::after), oldest))
}

/// The newest entry, found by halving: a store is read forwards only.
async fn last(store: &dyn Store) -> PortResult<Option<Entry>> {
    let Some(mut low) = store.scan(PREFIX, PREFIX, 1).await?.first().and_then(|(k, _)| number(k)) else {
        return Ok(None);
    };
    let mut high = low + KEPT * 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if store.scan(PREFIX, &key(middle), 1).await?.is_empty() { high = middle } else { low = middle }
    }
    let found = store.get(&key(low)).await?;
    found.map(|e| entry(&e.value)).transpose()
}

fn key(seq: u64) -> Vec<u8> {
    [PREFIX, &seq.to_be_bytes()].concat()
}

fn number(key: &[u8]) -> Option<u64> {
    key.strip_prefix(PREFIX)?.try_into().ok().map(u64::from_be_bytes)
}

fn entry(bytes: &[u8]) -> PortResult<Entry> {
    decode(bytes).map_err(|e| PortError::Corrupt(format!("an entry of the audit log: {e}")))
}
