//! The present connections: what `links` shows and what streams are opened on.

use crate::opener::Request;
use crate::options::SILENCE;
use crate::roles::Role;
use ikigai_ports::mesh::{Link, Links};
use ikigai_types::NodeId;
use libp2p::swarm::ConnectionId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// How long a connection must have stood before others are let go for it.
const SETTLED: Duration = Duration::from_secs(3);

/// One connection.
#[derive(Debug)]
pub struct Conn {
    pub id: ConnectionId,
    pub node: NodeId,
    pub role: Role,
    /// The other end, as this node sees it.
    pub address: String,
    pub relayed: bool,
    /// Whether this node dialled.
    pub dialled: bool,
    /// Where its handler takes wishes for streams.
    pub requests: mpsc::Sender<Request>,
    /// Nobody needs it: it ends when it carries no stream.
    pub spare: AtomicBool,
    since: Instant,
    /// Milliseconds from `since` to the newest byte of the other end.
    heard: AtomicU64,
    /// Newest round trip in microseconds; 0 while there is none.
    round_trip: AtomicU64,
}

/// Where a connection came from.
#[derive(Debug)]
pub struct Origin {
    pub id: ConnectionId,
    pub node: NodeId,
    pub role: Role,
    pub address: String,
    pub relayed: bool,
    pub dialled: bool,
}

impl Conn {
    /// A connection that was made now.
    pub fn new(origin: Origin, requests: mpsc::Sender<Request>) -> Self {
        let Origin { id, node, role, address, relayed, dialled } = origin;
        let (spare, heard, round_trip) = Default::default();
        let since = Instant::now();
        Self { id, node, role, address, relayed, dialled, requests, spare, since, heard, round_trip }
    }

    /// Something came from the other end.
    pub fn hear(&self) {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(passed.max(1), Ordering::Relaxed);
    }

    /// When something was last heard.
    pub fn heard(&self) -> Instant {
        self.since + Duration::from_millis(self.heard.load(Ordering::Relaxed))
    }

    /// When it was made.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// A pong came.
    pub fn measured(&self, round_trip: Duration) {
        self.hear();
        let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX).max(1);
        self.round_trip.store(micros, Ordering::Relaxed);
    }

    /// Whether the other end said anything.
    pub fn is_confirmed(&self) -> bool {
        self.heard.load(Ordering::Relaxed) > 0
    }

    fn is_silent(&self) -> bool {
        self.heard().elapsed() > SILENCE / 2
    }

    /// Less is better: direct, heard of lately, new.
    fn rank(&self) -> (bool, bool, bool, std::cmp::Reverse<Instant>) {
        let spare = self.spare.load(Ordering::Relaxed);
        (self.is_silent(), self.relayed, spare, std::cmp::Reverse(self.since))
    }

    fn link(&self) -> Link {
        let micros = self.round_trip.load(Ordering::Relaxed);
        let round_trip = (micros > 0).then(|| Duration::from_micros(micros));
        Link { address: self.address.clone(), relayed: self.relayed, round_trip }
    }
}

/// Every connection, by node.
#[derive(Debug)]
pub struct Table {
    conns: Mutex<HashMap<NodeId, Vec<Arc<Conn>>>>,
    links: watch::Sender<Arc<Links>>,
    /// Changes whenever a connection came or went.
    version: watch::Sender<u64>,
}

impl Default for Table {
    fn default() -> Self {
        let (links, version) = (watch::Sender::new(Arc::default()), watch::Sender::new(0));
        Self { conns: Mutex::default(), links, version }
    }
}

impl Table {
    /// Takes in a new connection.
    pub fn insert(&self, conn: Arc<Conn>) {
        self.lock().entry(conn.node).or_default().push(conn);
        self.publish();
        self.version.send_modify(|v| *v += 1);
    }

    /// Takes out a connection that ended.
    pub fn remove(&self, node: &NodeId, id: ConnectionId) {
        let mut conns = self.lock();
        if let Some(of_node) = conns.get_mut(node) {
            of_node.retain(|c| c.id != id);
            if of_node.is_empty() {
                conns.remove(node);
            }
        }
        drop(conns);
        self.publish();
        self.version.send_modify(|v| *v += 1);
    }

    /// The best connection to open a stream on.
    pub fn best(&self, node: &NodeId) -> Option<Arc<Conn>> {
        self.lock().get(node)?.iter().filter(|c| c.role != Role::Guest).min_by_key(|c| c.rank()).cloned()
    }

    /// The connections of `node`.
    pub fn of(&self, node: &NodeId) -> Vec<Arc<Conn>> {
        self.lock().get(node).cloned().unwrap_or_default()
    }

    /// Every connection.
    pub fn all(&self) -> Vec<Arc<Conn>> {
        self.lock().values().flatten().cloned().collect()
    }

    /// What is linked, and when that changes.
    pub fn links(&self) -> watch::Receiver<Arc<Links>> {
        self.links.subscribe()
    }

    /// Marks the connections of `node` that nobody needs, if this end is the one to do so; answers whether it is
    /// linked directly, or none when it is not linked.
    pub fn settle(&self, node: &NodeId, decides: bool) -> Option<bool> {
        let conns = self.of(node);
        let best = conns.iter().filter(|c| c.role != Role::Guest).min_by_key(|c| c.rank())?;
        for conn in &conns {
            let is_extra =
                decides && conn.id != best.id && best.is_confirmed() && best.since.elapsed() > SETTLED;
            conn.spare.store(is_extra, Ordering::Relaxed);
        }
        Some(conns.iter().any(|c| !c.relayed))
    }

    /// Tells that a connection came or went.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Shows the links as they are. A connection is a link once the other end said something on it: it may
    /// still refuse us after its handshake. Who watches is woken when one came, went or moved, not by a mere new
    /// round trip.
    pub fn publish(&self) {
        let conns = self.lock();
        let new: Links = conns.iter().filter_map(|(node, c)| Some((*node, shown(c)?.link()))).collect();
        self.links.send_if_modified(|old| {
            let place = |links: &Links| -> Vec<_> {
                links.iter().map(|(n, l)| (*n, l.address.clone(), l.relayed)).collect()
            };
            let moved = place(old) != place(&new);
            if **old != new {
                *old = Arc::new(new);
            }
            moved
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Vec<Arc<Conn>>>> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(conns: &[Arc<Conn>]) -> Option<&Arc<Conn>> {
    conns.iter().filter(|c| c.role != Role::Guest && c.is_confirmed()).min_by_key(|c| c.rank())
}
