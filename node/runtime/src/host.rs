//! The side that runs attempts: admits them into this machine's resources, and nobody else decides that.

mod attempt;
mod disk;
mod launch;
mod sessions;
mod stance;
mod tidy;

pub use disk::Disk;
pub(crate) use launch::{WORKSPACE, run_folder, write_launch};
pub(crate) use stance::Stance;

use crate::desk::Desk;
use crate::owner::sight::request;
use crate::terminal::Change;
use crate::{Options, Parts};
use ikigai_placement::{Candidate, refuses};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Fence, Lease, NodeId, ProjectId, Resources, WorkloadClass};
use ikigai_wire::peer::{Advertisement, Order, Workload};
use ikigai_wire::record::{HostRecord, decode};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Orders that wait for one attempt, at most.
const ORDERS: usize = 16;
/// Where holders' notes are kept.
const NOTES: &[u8] = b"host/";

/// What an attempt is told.
#[derive(Debug)]
enum Ask {
    /// By its owner.
    Order(Order),
    /// By its terminal.
    Types(Change),
}

/// An attempt that runs here.
#[derive(Debug)]
struct Seat {
    orders: mpsc::Sender<Ask>,
    request: Resources,
    class: WorkloadClass,
    owner: NodeId,
    project: ProjectId,
}

/// Attempts by lease.
type Seats = HashMap<Fence, Seat>;

/// Taking a seat.
trait Sit {
    fn sit(&mut self, note: &HostRecord) -> mpsc::Receiver<Ask>;
}

impl Sit for Seats {
    fn sit(&mut self, note: &HostRecord) -> mpsc::Receiver<Ask> {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (owner, project) = (note.spec.owner, note.spec.project.clone());
        let request = if note.ended.is_some() { Resources::default() } else { note.spec.request };
        let class = note.spec.wants.class;
        let seat = Seat { orders, request, class, owner, project };
        self.insert(note.lease.fence.clone(), seat);
        inbox
    }
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
    desk: Desk,
    seats: Mutex<Seats>,
    /// Changes with what is free here.
    changed: watch::Sender<u64>,
    stance: Mutex<Stance>,
    /// Projects whose objects are here.
    repositories: Mutex<BTreeSet<ProjectId>>,
    image_missing: AtomicBool,
    /// Bytes of disk there are for workspaces.
    room: AtomicU64,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Host {
    pub(crate) fn new(
        parts: &Parts,
        options: &Arc<Options>,
        desk: Desk,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let shared = Shared {
            parts: parts.clone(),
            options: options.clone(),
            node: NodeId::from_bytes(parts.signer.public_key()),
            desk,
            changed: watch::Sender::new(0),
            seats: Mutex::default(),
            stance: Mutex::default(),
            repositories: Mutex::default(),
            image_missing: AtomicBool::new(options.needs_image && options.image.is_none()),
            room: AtomicU64::new(options.allocatable.disk_bytes),
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
            let orders = self.seats().sit(&note);
            self.start(note, orders, true);
        }
        Ok(())
    }

    /// Admits an attempt and starts it, or says why not. The same lease twice is admitted once.
    pub(crate) fn offer(&self, lease: Lease, lease_ms: u64, workload: Workload) -> Result<(), String> {
        let Workload { spec, prompt, base, from, follow, .. } = workload;
        let mut seats = self.seats();
        if seats.contains_key(&lease.fence) {
            return Ok(());
        }
        // By what is here now, whatever the owner believes: the same filters, asked of the one who knows.
        let asked = request(&self.shared.options, &spec, lease.fence.attempt.number);
        if let Some(reason) = refuses(&asked, &self.shared.candidate(&seats)) {
            return Err(reason);
        }
        let note = HostRecord {
            lease,
            lease_ms,
            spec,
            prompt,
            base,
            from,
            follow,
            resume: None,
            workload: None,
            usage: ikigai_types::Usage::default(),
            ran_ms: 0,
            session: None,
            ended: None,
            delivered: false,
        };
        let orders = seats.sit(&note);
        drop(seats);
        self.start(note, orders, false);
        Ok(())
    }

    fn start(&self, note: HostRecord, inbox: mpsc::Receiver<Ask>, again: bool) {
        self.shared.changed.send_modify(|n| *n += 1);
        let run = attempt::Run::new(self.shared.clone(), note, inbox, again);
        self.shared.tracker.spawn(run.run());
    }

    /// This machine as placement sees it.
    pub(crate) fn candidate(&self) -> Candidate {
        self.shared.candidate(&self.seats())
    }

    /// Attempts that run here.
    pub(crate) fn fences(&self) -> Vec<Fence> {
        self.seats().keys().cloned().collect()
    }

    /// Who owns the task of an attempt that runs here.
    pub(crate) fn owner_of(&self, fence: &Fence) -> Option<NodeId> {
        self.seats().get(fence).map(|s| s.owner)
    }

    /// What this machine tells the others of itself.
    pub(crate) fn advertisement(&self) -> Advertisement {
        let (c, o) = (self.candidate(), &self.shared.options);
        let isolation = self.shared.parts.executor.isolation();
        Advertisement {
            name: c.name,
            version: o.version.clone(),
            capacity: o.capacity,
            allocatable: c.allocatable,
            free: c.free,
            tags: c.tags,
            adapters: c.adapters,
            providers: c.providers,
            images: c.images,
            executor: isolation.name,
            isolation_missing: isolation.missing,
            cordoned: c.cordoned,
            draining: c.draining,
            taints: c.taints,
            classes: c.classes,
            repositories: c.repositories,
            running: u64::try_from(self.seats().len()).unwrap_or(u64::MAX),
        }
    }

    /// Whether it has an attempt of `project` for `owner`.
    pub(crate) fn works_on(&self, owner: NodeId, project: &ProjectId) -> bool {
        self.seats().values().any(|s| s.owner == owner && s.project == *project)
    }

    /// Changes with what is free here.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Tells an attempt that runs here what to do.
    pub(crate) fn order(&self, fence: &Fence, order: Order) {
        self.tell(fence, Ask::Order(order));
    }

    /// Tells an attempt that runs here who types in its terminal.
    pub(crate) fn types(&self, fence: &Fence, change: Change) {
        self.tell(fence, Ask::Types(change));
    }

    fn tell(&self, fence: &Fence, ask: Ask) {
        let orders = self.seats().get(fence).map(|s| s.orders.clone());
        if let Some(orders) = orders
            && let Err(error) = orders.try_send(ask)
        {
            tracing::warn!(%fence, %error, "an attempt does not take its orders");
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.shared.seats()
    }
}

impl Shared {
    /// This machine with what `seats` leave of it.
    fn candidate(&self, seats: &Seats) -> Candidate {
        let (o, stance) = (&self.options, *self.stance());
        let image = !self.image_missing.load(Ordering::Relaxed);
        let allocatable = Resources { disk_bytes: self.room.load(Ordering::Relaxed), ..o.allocatable };
        let mut candidate = Candidate {
            cordoned: stance.cordoned,
            draining: stance.drain.is_some(),
            allocatable,
            free: allocatable,
            classes: o.classes.clone(),
            tags: o.tags.clone(),
            taints: o.taints.clone(),
            adapters: o.adapters.keys().cloned().collect(),
            providers: o.providers.clone(),
            image,
            images: o.image.iter().filter(|_| image).cloned().collect(),
            repositories: self.repositories().iter().cloned().collect(),
            ..Candidate::new(self.node, &o.name)
        };
        seats.values().for_each(|s| candidate.take(s.class, &s.request));
        candidate
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().expect("invariant: no panic while seats are held")
    }

    /// The attempt asks nothing of the machine any more, though its editor may still be open.
    fn release(&self, fence: &Fence) {
        if let Some(seat) = self.seats().get_mut(fence) {
            seat.request = Resources::default();
        }
        self.changed.send_modify(|n| *n += 1);
    }
}

/// Where the note of an attempt is kept.
fn note_key(fence: &Fence) -> Vec<u8> {
    format!("host/{}/{:010}/{:020}", fence.attempt.task, fence.attempt.number, fence.epoch.0).into_bytes()
}
