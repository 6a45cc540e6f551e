//! Every peer of a mesh, and the one connection per peer and lane they are asked over.

use crate::link::Link;
use ikigai_ports::mesh::Lane;
use ikigai_ports::rpc::trace::Trace;
use ikigai_ports::{Mesh, NodeHandle, Peer, Peers};
use ikigai_types::NodeId;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Links that are remembered; beyond that those that are not up are forgotten.
const LINKS: usize = 4096;

/// The way to every peer of a mesh. Clones share their connections.
#[derive(Debug, Clone)]
pub struct GrpcPeers {
    shared: Arc<Shared>,
}

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Shared {
    mesh: Arc<dyn Mesh>,
    links: Mutex<HashMap<(NodeId, Lane), Arc<Link>>>,
    /// What tells the traces of this process from those of others.
    origin: u64,
    calls: AtomicU64,
}

/// One node, somewhere else.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) shared: Arc<Shared>,
    pub(crate) node: NodeId,
}

// === impl GrpcPeers ===

impl GrpcPeers {
    /// The peers of `mesh`. Nothing is opened before something is asked.
    ///
    /// # Panics
    /// When the kernel gives no random bytes.
    pub fn new(mesh: Arc<dyn Mesh>) -> Self {
        let mut bytes = [0; 8];
        SystemRandom::new().fill(&mut bytes).expect("invariant: the kernel gives random bytes");
        let (links, calls) = (Mutex::default(), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { mesh, links, origin: u64::from_be_bytes(bytes), calls }) }
    }

    fn remote(&self, node: NodeId) -> Arc<Remote> {
        Arc::new(Remote { shared: self.shared.clone(), node })
    }
}

impl Peers for GrpcPeers {
    fn peer(&self, node: NodeId) -> Arc<dyn Peer> {
        self.remote(node)
    }

    fn handle(&self, node: NodeId) -> Arc<dyn NodeHandle> {
        self.remote(node)
    }
}

// === impl Shared ===

impl Shared {
    /// The connection to `node` over `lane`, open or not.
    pub(crate) fn link(&self, node: NodeId, lane: Lane) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= LINKS && !links.contains_key(&(node, lane)) {
            links.retain(|_, link| link.is_used());
        }
        let new = || Arc::new(Link::new(self.mesh.clone(), node, lane));
        links.entry((node, lane)).or_insert_with(new).clone()
    }

    /// The trace a call belongs to, and the number of the call in it.
    pub(crate) fn trace(&self) -> (Trace, u64) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let new = || Trace::of_bits(u128::from(self.origin) << 64 | u128::from(call));
        (Trace::current().unwrap_or_else(new), self.origin ^ call)
    }
}
