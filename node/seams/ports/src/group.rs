//! Group commit: one thread that turns many requests at once into one durable flush.
//!
//! A flush costs the same for one record as for a hundred, so whoever wants many durable writes a second
//! must share flushes. Backends say how a group is carried out ([`Flush`]); this module gathers the groups,
//! keeps blocking calls off the async runtime and bounds what waits.

use crate::{PortError, PortResult};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The most bytes that wait for a flush, in steps of `STEP`; further callers wait for room.
pub const MAX_WAITING_BYTES: usize = 32 << 20;

/// What even the smallest request counts, so that their number is bounded too.
const STEP: usize = 4 << 10;

/// The most bytes of one group, unless a single request is heavier.
pub const MAX_GROUP_BYTES: usize = 8 << 20;

/// How long the thread waits for the next of the callers it expects back before it flushes without them.
///
/// Callers that just got their answer usually ask again at once; flushing before they did would split them
/// into two groups that take turns, at half the rate.
const QUIET: Duration = Duration::from_micros(100);

/// After a wait in vain this many groups are flushed without any waiting.
const DISCOURAGED: u32 = 16;

/// How a backend carries out a group of requests.
pub trait Flush: Send + 'static {
    /// One request.
    type Ask: Send + 'static;
    /// What its caller gets once it is durable.
    type Answer: Send + 'static;

    /// The bytes of one request, by which groups are bounded.
    fn weight(ask: &Self::Ask) -> usize;

    /// Carries out `asks` in order, makes all of them durable by one flush, and answers each in that order.
    fn flush(&mut self, asks: Vec<Self::Ask>) -> Vec<PortResult<Self::Answer>>;
}

/// The handle of a running group commit. Dropping it carries out what waits, then ends the thread; the drop
/// blocks for as long as that takes (one flush).
pub struct Group<F: Flush> {
    name: String,
    sender: Option<SyncSender<Waiting<F>>>,
    queued: Arc<AtomicUsize>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

struct Waiting<F: Flush> {
    ask: F::Ask,
    answer: oneshot::Sender<PortResult<F::Answer>>,
    _room: OwnedSemaphorePermit,
}

impl<F: Flush> Group<F> {
    /// Starts the thread, called `name` (shown in errors and by debuggers).
    ///
    /// # Errors
    /// [`PortError::Failed`] when the system gives no thread.
    pub fn start(name: &str, flush: F) -> PortResult<Self> {
        let (sender, receiver) = sync_channel(MAX_WAITING_BYTES / STEP);
        let queued = Arc::new(AtomicUsize::new(0));
        let mut gatherer = Gatherer { receiver, queued: Arc::clone(&queued), expected: 1, discouraged: 0 };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || gatherer.run(flush))
            .map_err(|e| PortError::failed(format!("starting the thread `{name}`"), e))?;
        let room = Arc::new(Semaphore::new(MAX_WAITING_BYTES / STEP));
        Ok(Self { name: name.to_owned(), sender: Some(sender), queued, room, thread: Some(thread) })
    }

    /// Has `ask` carried out and made durable. Dropping the future withdraws it or not, as it happens.
    ///
    /// # Errors
    /// What the backend answers; [`PortError::Unavailable`] when its thread is gone.
    pub async fn ask(&self, ask: F::Ask) -> PortResult<F::Answer> {
        let gone = || PortError::Unavailable { what: self.name.clone(), retry_after: None, source: None };
        let steps = F::weight(&ask).div_ceil(STEP).clamp(1, MAX_WAITING_BYTES / STEP);
        let steps = u32::try_from(steps).expect("invariant: clamped to a few thousand");
        let room = Arc::clone(&self.room).acquire_many_owned(steps).await.map_err(|_| gone())?;
        let (answer, answered) = oneshot::channel();
        let sender = self.sender.as_ref().expect("invariant: the sender is taken only by drop");
        self.queued.fetch_add(1, Ordering::Relaxed);
        // The permit proves that there is room, so this never blocks and fails only when the thread is gone.
        sender.try_send(Waiting { ask, answer, _room: room }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl<F: Flush> Drop for Group<F> {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the backend has been printed by its thread and been answered as unavailable.
            let _ = thread.join();
        }
    }
}

impl<F: Flush> fmt::Debug for Group<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The thread's side: forms groups and has them carried out until the handle is dropped.
struct Gatherer<F: Flush> {
    receiver: Receiver<Waiting<F>>,
    queued: Arc<AtomicUsize>,
    expected: usize,
    discouraged: u32,
}

impl<F: Flush> Gatherer<F> {
    fn run(&mut self, mut flush: F) {
        while let Ok(first) = self.receiver.recv() {
            let group = self.gather(first);
            let (asks, answers): (Vec<_>, Vec<_>) =
                group.into_iter().map(|w| (w.ask, (w.answer, w._room))).unzip();
            let results = flush.flush(asks);
            assert_eq!(results.len(), answers.len(), "invariant: a backend answers every request of a group");
            // Who is answered now and who waits already: that many may be in the next group.
            self.expected = answers.len() + self.queued.load(Ordering::Relaxed);
            for ((answer, _room), result) in answers.into_iter().zip(results) {
                // A caller that went away does not want to know.
                let _ = answer.send(result);
            }
        }
    }

    /// `first`, all that waits, and those who are expected back within moments.
    fn gather(&mut self, first: Waiting<F>) -> Vec<Waiting<F>> {
        let mut bytes = F::weight(&first.ask);
        let mut group = vec![first];
        let mut in_vain = false;
        while bytes < MAX_GROUP_BYTES {
            let next = match self.receiver.try_recv() {
                Ok(next) => next,
                Err(_) if self.discouraged > 0 || group.len() >= self.expected => break,
                Err(_) => match self.receiver.recv_timeout(QUIET) {
                    Ok(next) => next,
                    Err(_) => {
                        in_vain = true;
                        break;
                    }
                },
            };
            bytes += F::weight(&next.ask);
            group.push(next);
        }
        self.discouraged = if in_vain { DISCOURAGED } else { self.discouraged.saturating_sub(1) };
        self.queued.fetch_sub(group.len(), Ordering::Relaxed);
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    type Groups = Arc<Mutex<Vec<Vec<u32>>>>;

    /// Records its groups; waits at a gate before each flush.
    struct Recorder {
        groups: Groups,
        gate: Receiver<()>,
    }

    impl Flush for Recorder {
        type Ask = u32;
        type Answer = u32;

        fn weight(_: &u32) -> usize {
            1 << 20
        }

        fn flush(&mut self, asks: Vec<u32>) -> Vec<PortResult<u32>> {
            let _ = self.gate.recv();
            self.groups.lock().unwrap().push(asks.clone());
            asks.into_iter()
                .map(|ask| if ask == 13 { Err(PortError::Unsupported("13")) } else { Ok(ask * 2) })
                .collect()
        }
    }

    fn recorder() -> (Groups, SyncSender<()>, Arc<Group<Recorder>>) {
        let groups = Groups::default();
        let (open, gate) = sync_channel(100);
        let group = Group::start("recorder", Recorder { groups: Arc::clone(&groups), gate }).unwrap();
        (groups, open, Arc::new(group))
    }

    #[tokio::test]
    async fn what_waits_during_a_flush_shares_the_next_one_within_its_bytes() {
        let (groups, open, group) = recorder();
        let first = tokio::spawn({
            let group = Arc::clone(&group);
            async move { group.ask(0).await }
        });
        while group.queued.load(Ordering::Relaxed) != 0
            || group.room.available_permits() == MAX_WAITING_BYTES / STEP
        {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = (1..=20)
            .map(|i| {
                tokio::spawn({
                    let group = Arc::clone(&group);
                    async move { group.ask(i).await }
                })
            })
            .collect();
        while group.queued.load(Ordering::Relaxed) < 20 {
            tokio::task::yield_now().await;
        }
        (0..4).for_each(|_| open.send(()).unwrap());
        assert_eq!(first.await.unwrap().unwrap(), 0);
        for (i, other) in (1..).zip(others) {
            match other.await.unwrap() {
                Ok(answer) => assert_eq!(answer, i * 2),
                Err(error) => assert!(i == 13 && matches!(error, PortError::Unsupported("13"))),
            }
        }
        let sizes: Vec<usize> = groups.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 8, 8, 4], "eight requests of 1 MiB fill a group");
    }

    #[tokio::test]
    async fn dropping_the_handle_carries_out_what_waits() {
        let (groups, open, group) = recorder();
        let asked = tokio::spawn({
            let group = Arc::clone(&group);
            async move { group.ask(7).await }
        });
        while Arc::strong_count(&group) == 2 && group.room.available_permits() == MAX_WAITING_BYTES / STEP {
            tokio::task::yield_now().await;
        }
        asked.abort();
        let _ = asked.await;
        drop(open);
        drop(group);
        assert_eq!(*groups.lock().unwrap(), [[7]]);
    }

    #[tokio::test]
    async fn a_backend_that_panics_is_unavailable() {
        struct Broken;
        impl Flush for Broken {
            type Ask = ();
            type Answer = ();
            fn weight((): &()) -> usize {
                0
            }
            fn flush(&mut self, _: Vec<()>) -> Vec<PortResult<()>> {
                panic!("broken on purpose")
            }
        }
        let group = Group::start("broken", Broken).unwrap();
        for _ in 0..2 {
            let error = group.ask(()).await.unwrap_err();
            assert_eq!(error.to_string(), "broken is unavailable");
        }
    }
}
