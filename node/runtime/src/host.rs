//! The side that runs attempts: admits them into this machine's resources, and nobody else decides that.

mod attempt;
mod launch;
mod tidy;

pub(crate) use launch::{WORKSPACE, run_folder, write_launch};

use crate::owner::OwnerHandle;
use crate::{Options, Parts};
use ikigai_placement::Candidate;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::{Reason, TaskSpec};
use ikigai_types::{Fence, Lease, NodeId, Resources};
use ikigai_wire::record::{HostRecord, decode};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Orders that wait for one attempt, at most.
const ORDERS: usize = 16;
/// Where holders' notes are kept.
const NOTES: &[u8] = b"host/";

/// What an attempt can be told.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// End.
    Stop { grace: u64, reason: Reason },
    /// Stand still, or go on.
    Hold(bool),
    /// The lease is good for its full length again.
    Renewed,
}

/// An attempt that runs here.
#[derive(Debug)]
struct Seat {
    orders: mpsc::Sender<Order>,
    request: Resources,
}

/// This machine's attempts. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    parts: Parts,
    options: Arc<Options>,
    node: NodeId,
    owner: OwnerHandle,
    seats: Mutex<HashMap<Fence, Seat>>,
    left: tokio::sync::Notify,
    cordoned: AtomicBool,
    image_missing: AtomicBool,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Host {
    pub(crate) fn new(
        parts: &Parts,
        options: &Arc<Options>,
        owner: OwnerHandle,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let shared = Shared {
            parts: parts.clone(),
            options: options.clone(),
            node: NodeId::from_bytes(parts.signer.public_key()),
            owner,
            seats: Mutex::default(),
            left: tokio::sync::Notify::new(),
            cordoned: AtomicBool::new(false),
            image_missing: AtomicBool::new(options.needs_image && options.image.is_none()),
            tracker: tracker.clone(),
            stop: stop.clone(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes up what ran here before a restart, and clears away what nobody owns.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn recover(&self) -> PortResult<()> {
        let rows = self.shared.parts.store.scan(NOTES, NOTES, usize::MAX).await?;
        let mut notes = Vec::new();
        for (_, entry) in rows {
            let note: HostRecord =
                decode(&entry.value).map_err(|e| PortError::Corrupt(format!("holder's note: {e}")))?;
            notes.push(note);
        }
        let known: Vec<_> = notes.iter().map(|n| n.lease.fence.clone()).collect();
        self.shared.clear_orphans(&known).await;
        for note in notes {
            self.seat(note, true);
        }
        Ok(())
    }

    /// Admits an attempt and starts it, or says why not. The same lease twice is admitted once.
    pub(crate) fn offer(&self, lease: Lease, spec: TaskSpec, prompt: String) -> Result<(), String> {
        if self.seats().contains_key(&lease.fence) {
            return Ok(());
        }
        if let Some((what, want, have)) = self.free().lacks(&spec.request) {
            return Err(format!("no capacity: asks {what} {want}, free {have}"));
        }
        let note = HostRecord {
            lease,
            spec,
            prompt,
            base: None,
            workload: None,
            usage: ikigai_types::Usage::default(),
            ran_ms: 0,
            session: None,
            delivered: false,
        };
        self.seat(note, false);
        Ok(())
    }

    fn seat(&self, note: HostRecord, again: bool) {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let fence = note.lease.fence.clone();
        self.seats().insert(fence, Seat { orders, request: note.spec.request });
        let run = attempt::Run::new(self.shared.clone(), note, inbox, again);
        self.shared.tracker.spawn(run.run());
    }

    /// This machine as placement sees it.
    pub(crate) fn candidate(&self) -> Candidate {
        let o = &self.shared.options;
        Candidate {
            cordoned: self.shared.cordoned.load(Ordering::Relaxed),
            allocatable: o.allocatable,
            free: self.free(),
            tags: o.tags.clone(),
            adapters: o.adapters.keys().cloned().collect(),
            providers: o.providers.clone(),
            image: !self.shared.image_missing.load(Ordering::Relaxed),
            ..Candidate::new(self.shared.node, &o.name)
        }
    }

    /// No new work from now on, or new work again.
    pub(crate) fn cordon(&self, cordoned: bool) {
        self.shared.cordoned.store(cordoned, Ordering::Relaxed);
    }

    /// Attempts that run here.
    pub(crate) fn fences(&self) -> Vec<Fence> {
        self.seats().keys().cloned().collect()
    }

    pub(crate) fn stop(&self, fence: &Fence, grace: u64, reason: Reason) {
        self.order(fence, Order::Stop { grace, reason });
    }

    /// Waits until nothing runs here.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.shared.left.notified();
            if self.seats().is_empty() {
                return;
            }
            left.await;
        }
    }

    pub(crate) fn hold(&self, fence: &Fence, held: bool) {
        self.order(fence, Order::Hold(held));
    }

    pub(crate) fn renewed(&self, fence: &Fence) {
        self.order(fence, Order::Renewed);
    }

    fn order(&self, fence: &Fence, order: Order) {
        let orders = self.seats().get(fence).map(|s| s.orders.clone());
        if let Some(orders) = orders
            && let Err(error) = orders.try_send(order)
        {
            tracing::warn!(%fence, %error, "an attempt does not take its orders");
        }
    }

    fn free(&self) -> Resources {
        let taken = self.seats().values().fold(Resources::default(), |sum, s| sum.plus(&s.request));
        self.shared.options.allocatable.minus(&taken)
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<Fence, Seat>> {
        self.shared.seats()
    }
}

impl Shared {
    fn seats(&self) -> MutexGuard<'_, HashMap<Fence, Seat>> {
        self.seats.lock().expect("invariant: no panic while seats are held")
    }

    /// The attempt asks nothing of the machine any more, though its editor may still be open.
    fn release(&self, fence: &Fence) {
        if let Some(seat) = self.seats().get_mut(fence) {
            seat.request = Resources::default();
        }
    }
}

/// Where the note of an attempt is kept.
fn note_key(fence: &Fence) -> Vec<u8> {
    format!("host/{}/{:010}/{:020}", fence.attempt.task, fence.attempt.number, fence.epoch.0).into_bytes()
}
