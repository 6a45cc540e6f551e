//! The port, over the driver's task.

use crate::door::Door;
use crate::driver::{Driver, State};
use crate::frames::Writers;
use crate::intake::Intake;
use crate::key;
use crate::lanes::{Kind, Lanes};
use crate::opener::{Opener, away};
use crate::options::MeshOptions;
use crate::roles::{Role, Roles};
use crate::swarm::{self, Extras};
use crate::table::Table;
use async_trait::async_trait;
use ikigai_ports::gate::Duplex;
use ikigai_ports::mesh::{Allowed, Lane, Links, Mesh};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::NodeId;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Nudges that wait for the driver.
const NUDGES: usize = 64;

/// A node's links over libp2p. Dropping it closes them; [`Self::stop`] also waits for that.
pub struct Libp2pMesh {
    id: NodeId,
    roles: Arc<Roles>,
    table: Arc<Table>,
    intake: Arc<Intake>,
    opener: Opener,
    writers: Writers,
    allowed: watch::Sender<Arc<Allowed>>,
    addresses: Arc<Mutex<Vec<String>>>,
    closed: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
    _close: DropGuard,
}

impl Libp2pMesh {
    /// Listens, and answers a mesh that nobody is allowed to link with yet.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn start(options: MeshOptions) -> PortResult<Self> {
        let pair = key::pair(options.seed);
        let id = key::node(&pair);
        let (roles, table, intake) = <(Arc<Roles>, Arc<Table>, Arc<Intake>)>::default();
        let door = Door::new(Arc::clone(&roles), Arc::clone(&table));
        let lanes = Lanes::new(Arc::clone(&roles), Arc::clone(&table), Arc::clone(&intake));
        let extras = Extras { mdns: options.mdns, relay: options.relay };
        let swarm = swarm::build(pair, extras, &roles, door, lanes)?;
        let (nudges, nudged) = mpsc::channel(NUDGES);
        let (allowed, changed) = watch::channel(Arc::default());
        let closed = CancellationToken::new();
        let addresses: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut driver = Driver {
            me: id,
            swarm,
            roles: Arc::clone(&roles),
            table: Arc::clone(&table),
            allowed: changed,
            nudges: nudged,
            addresses: Arc::clone(&addresses),
            stop: closed.clone(),
            relaying: options.relay,
            state: State::default(),
        };
        driver.listen(&options.listen).await?;
        let task = Mutex::new(Some(tokio::spawn(driver.run())));
        let opener = Opener { table: Arc::clone(&table), nudges };
        let writers = Writers::new(opener.clone());
        let _close = closed.clone().drop_guard();
        Ok(Self { id, roles, table, intake, opener, writers, allowed, addresses, closed, task, _close })
    }

    /// Closes every link and waits until that is done.
    pub async fn stop(&self) {
        self.closed.cancel();
        self.writers.close();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the mesh's task ended badly");
        }
    }

    /// What `next` gives, until the mesh is closed.
    async fn until_closed<T>(&self, next: impl Future<Output = T>) -> PortResult<T> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => {
                Err(PortError::Unavailable { what: "the mesh".into(), retry_after: None, source: None })
            }
            got = next => Ok(got),
        }
    }
}

impl fmt::Debug for Libp2pMesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Libp2pMesh").field("id", &self.id).finish_non_exhaustive()
    }
}

// === impl Mesh ===

#[async_trait]
impl Mesh for Libp2pMesh {
    fn id(&self) -> NodeId {
        self.id
    }

    fn allow(&self, allowed: Allowed) {
        if self.closed.is_cancelled() {
            return;
        }
        // First who is let in, then the rest: nobody gets in by what was said before.
        self.roles.replace(self.id, &allowed);
        let is_allowed = |node: &NodeId| allowed.peers.contains_key(node) || allowed.guests.contains(node);
        self.intake.retain(is_allowed);
        self.writers.set(allowed.peers.keys().copied().filter(|node| *node != self.id));
        self.allowed.send_replace(Arc::new(allowed));
    }

    fn links(&self) -> watch::Receiver<Arc<Links>> {
        self.table.links()
    }

    fn addresses(&self) -> Vec<String> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn open(&self, peer: NodeId, lane: Lane) -> PortResult<Box<dyn Duplex>> {
        let role = key::peer(&peer).and_then(|p| self.roles.of(&p)).map(|(role, _)| role);
        if role != Some(Role::Peer) {
            return Err(away(peer, "it is not enrolled"));
        }
        let stream = self.until_closed(self.opener.open(peer, Kind::Lane(lane))).await??;
        Ok(Box::new(stream))
    }

    async fn accept(&self, lane: Lane) -> PortResult<(NodeId, Box<dyn Duplex>)> {
        let (node, stream) = self.until_closed(self.intake.accept(lane)).await?;
        Ok((node, Box::new(stream)))
    }

    fn send(&self, peer: NodeId, frame: Vec<u8>) {
        self.writers.send(peer, frame);
    }

    async fn receive(&self) -> PortResult<(NodeId, Vec<u8>)> {
        self.until_closed(self.intake.receive()).await
    }
}
