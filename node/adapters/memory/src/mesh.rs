//! The Mesh port between nodes of one process, with links that a test cuts and heals.

mod stream;

use async_trait::async_trait;
use ikigai_ports::gate::Duplex;
use ikigai_ports::mesh::{Allowed, Lane, Link, Links, MAX_FRAME, Mesh};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stream::{Ends, MemoryStream, pair};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};

/// Streams of a lane that were not accepted yet.
const WAITING: usize = 256;
/// Frames that were not received yet.
const FRAMES: usize = 1_024;

/// The wires between the nodes of one process.
#[derive(Debug, Clone, Default)]
pub struct MemoryHub(Arc<Mutex<Wires>>);

#[derive(Debug, Default)]
struct Wires {
    nodes: BTreeMap<NodeId, Arc<Port>>,
    /// Pairs, the smaller id first.
    cuts: BTreeSet<(NodeId, NodeId)>,
    /// Whose frames do not reach whom.
    deaf: BTreeSet<(NodeId, NodeId)>,
    streams: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    from: NodeId,
    to: NodeId,
    lane: Lane,
    ends: Ends,
}

impl MemoryHub {
    /// Nodes that are not there yet, and no cuts.
    pub fn new() -> Self {
        Self::default()
    }

    /// A node that nobody is allowed to link with yet. One that had this id before is closed.
    pub fn mesh(&self, id: NodeId) -> Arc<MemoryMesh> {
        let port = Arc::new(Port::new());
        let old = self.wires().nodes.insert(id, Arc::clone(&port));
        if let Some(old) = old {
            old.close();
        }
        self.wires().refresh();
        Arc::new(MemoryMesh { id, port, hub: self.clone() })
    }

    /// Cuts the link of two nodes: both notice at once, and its streams break.
    pub fn cut(&self, a: NodeId, b: NodeId) {
        let mut wires = self.wires();
        wires.cuts.insert((a.min(b), a.max(b)));
        wires.refresh();
    }

    /// Ends a cut.
    pub fn heal(&self, a: NodeId, b: NodeId) {
        let mut wires = self.wires();
        wires.cuts.remove(&(a.min(b), a.max(b)));
        wires.refresh();
    }

    /// From now on (or no longer) frames of `from` to `to` are lost, which nobody notices.
    pub fn lose_frames(&self, from: NodeId, to: NodeId, lost: bool) {
        let mut wires = self.wires();
        if lost {
            wires.deaf.insert((from, to));
        } else {
            wires.deaf.remove(&(from, to));
        }
    }

    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wires {
    fn allows(&self, a: NodeId, b: NodeId) -> bool {
        self.nodes.get(&a).is_some_and(|port| port.allowed().peers.contains_key(&b))
    }

    fn invites(&self, host: NodeId, guest: NodeId) -> bool {
        self.nodes.get(&host).is_some_and(|port| {
            let allowed = port.allowed();
            allowed.guests.contains(&guest) && !allowed.peers.contains_key(&guest)
        })
    }

    fn is_cut(&self, a: NodeId, b: NodeId) -> bool {
        a == b || self.cuts.contains(&(a.min(b), a.max(b)))
    }

    fn is_linked(&self, a: NodeId, b: NodeId) -> bool {
        !self.is_cut(a, b) && self.allows(a, b) && self.allows(b, a)
    }

    /// Whether `from` may have a stream to `to`.
    fn may_open(&self, from: NodeId, to: NodeId, lane: Lane) -> bool {
        let as_guest = lane == Lane::Join && self.allows(from, to) && self.invites(to, from);
        self.is_linked(from, to) || as_guest && !self.is_cut(from, to)
    }

    /// Shows each node its links, and breaks the streams that are allowed no more.
    fn refresh(&mut self) {
        let link = |to: &NodeId| Link { address: address(*to), relayed: false, round_trip: None };
        for (id, port) in &self.nodes {
            let linked = self.nodes.keys().filter(|other| self.is_linked(*id, **other));
            let new: Links = linked.map(|other| (*other, link(other))).collect();
            port.links.send_if_modified(|old| {
                let changed = **old != new;
                if changed {
                    *old = Arc::new(new);
                }
                changed
            });
        }
        let (stay, go) = std::mem::take(&mut self.streams)
            .into_iter()
            .filter(|s| s.ends.is_open())
            .partition(|s| self.may_open(s.from, s.to, s.lane));
        self.streams = stay;
        let go: Vec<Open> = go;
        go.iter().for_each(|s| s.ends.cut());
    }
}

fn address(id: NodeId) -> String {
    let number = id.as_bytes().iter().take(8).fold(0_u64, |n, b| n << 8 | u64::from(*b));
    format!("/memory/{number}")
}

/// What a node has of its own.
#[derive(Debug)]
struct Port {
    allowed: Mutex<Allowed>,
    links: watch::Sender<Arc<Links>>,
    lanes: [Queue<MemoryStream>; Lane::ALL.len()],
    frames: Queue<Vec<u8>>,
}

#[derive(Debug)]
struct Queue<T> {
    into: Mutex<Option<mpsc::Sender<(NodeId, T)>>>,
    out: AsyncMutex<mpsc::Receiver<(NodeId, T)>>,
}

impl<T> Queue<T> {
    fn new(bound: usize) -> Self {
        let (into, out) = mpsc::channel(bound);
        Self { into: Mutex::new(Some(into)), out: AsyncMutex::new(out) }
    }

    /// Lets go what does not fit.
    fn push(&self, from: NodeId, what: T) {
        let into = self.into.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = into.as_ref().map(|into| into.try_send((from, what)));
    }

    async fn next(&self) -> PortResult<(NodeId, T)> {
        let closed = || PortError::Unavailable { what: "the mesh".into(), retry_after: None, source: None };
        self.out.lock().await.recv().await.ok_or_else(closed)
    }

    fn close(&self) {
        self.into.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Port {
    fn new() -> Self {
        let (links, _) = watch::channel(Arc::default());
        let lanes = [(); Lane::ALL.len()].map(|()| Queue::new(WAITING));
        Self { allowed: Mutex::default(), links, lanes, frames: Queue::new(FRAMES) }
    }

    fn allowed(&self) -> MutexGuard<'_, Allowed> {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        *self.allowed() = Allowed::default();
        self.lanes.iter().for_each(Queue::close);
        self.frames.close();
    }
}

/// A node on a [`MemoryHub`]. Dropping it closes its links.
pub struct MemoryMesh {
    id: NodeId,
    port: Arc<Port>,
    hub: MemoryHub,
}

impl MemoryMesh {
    /// Closes every link.
    pub fn close(&self) {
        self.port.close();
        let mut wires = self.hub.wires();
        if wires.nodes.get(&self.id).is_some_and(|port| Arc::ptr_eq(port, &self.port)) {
            wires.nodes.remove(&self.id);
        }
        wires.refresh();
    }

    fn try_open(&self, peer: NodeId, lane: Lane) -> Option<MemoryStream> {
        let mut wires = self.hub.wires();
        if !wires.may_open(self.id, peer, lane) {
            return None;
        }
        let (near, far, ends) = pair();
        wires.streams.retain(|s| s.ends.is_open());
        wires.streams.push(Open { from: self.id, to: peer, lane, ends });
        wires.nodes.get(&peer)?.lanes[lane as usize].push(self.id, far);
        Some(near)
    }
}

impl Drop for MemoryMesh {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for MemoryMesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMesh").field("id", &self.id).finish_non_exhaustive()
    }
}

// === impl Mesh ===

#[async_trait]
impl Mesh for MemoryMesh {
    fn id(&self) -> NodeId {
        self.id
    }

    fn allow(&self, allowed: Allowed) {
        let mut wires = self.hub.wires();
        // One that was closed, or replaced, is not on the hub any more.
        if wires.nodes.get(&self.id).is_some_and(|port| Arc::ptr_eq(port, &self.port)) {
            *self.port.allowed() = allowed;
            wires.refresh();
        }
    }

    fn links(&self) -> watch::Receiver<Arc<Links>> {
        self.port.links.subscribe()
    }

    fn addresses(&self) -> Vec<String> {
        vec![address(self.id)]
    }

    async fn open(&self, peer: NodeId, lane: Lane) -> PortResult<Box<dyn Duplex>> {
        let what = || format!("node {}", peer.short());
        let away = || PortError::Unavailable { what: what(), retry_after: None, source: None };
        // Nothing waits here: a test that turns the clock by hand would wait for ever.
        let stream = self.try_open(peer, lane).ok_or_else(away)?;
        Ok(Box::new(stream))
    }

    async fn accept(&self, lane: Lane) -> PortResult<(NodeId, Box<dyn Duplex>)> {
        let (from, stream) = self.port.lanes[lane as usize].next().await?;
        Ok((from, Box::new(stream)))
    }

    fn send(&self, peer: NodeId, frame: Vec<u8>) {
        let wires = self.hub.wires();
        let is_heard = wires.is_linked(self.id, peer) && !wires.deaf.contains(&(self.id, peer));
        if let Some(port) = wires.nodes.get(&peer).filter(|_| is_heard && frame.len() <= MAX_FRAME) {
            port.frames.push(self.id, frame);
        }
    }

    async fn receive(&self) -> PortResult<(NodeId, Vec<u8>)> {
        self.port.frames.next().await
    }
}
