//! A node that is nothing but its enrolment.

use async_trait::async_trait;
use futures::FutureExt as _;
use ikigai_memory::{MemoryHub, MemoryMesh, MemoryStore, SeededRng, VirtualClock};
use ikigai_ports::mesh::{Allowed, Lane, Mesh as _};
use ikigai_ports::objects::Pack;
use ikigai_ports::peer::{Appended, Peer, Peers};
use ikigai_ports::{Enrolment as _, NodeHandle, PortError, PortResult, Signer, Store};
use ikigai_runtime::{Enrolment, EnrolmentParts, Reach};
use ikigai_types::{Commit, Fence, NodeId, ProjectId, Timestamp};
use ikigai_wire::api::{InviteRequest, JoinRequest, JoinView, Problem};
use ikigai_wire::peer::{
    Admission, Check, Checked, Copied, CopyAsk, Lines, Offer, Order, Reply, Report, Roster,
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What must happen happens within this.
pub const SOON: Duration = Duration::from_secs(20);

/// Signs with a key in memory.
#[derive(Debug)]
pub struct Key(Ed25519KeyPair);

impl Key {
    pub fn of(seed: [u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap())
    }

    pub fn id(&self) -> NodeId {
        NodeId::from_bytes(self.public_key())
    }
}

impl Signer for Key {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    fn sign(&self, message: &[u8]) -> PortResult<[u8; 64]> {
        Ok(self.0.sign(message).as_ref().try_into().unwrap())
    }
}

/// The machines of a test, and the time.
#[derive(Debug, Clone)]
pub struct World {
    pub hub: MemoryHub,
    pub clock: Arc<VirtualClock>,
    directory: Arc<Mutex<BTreeMap<NodeId, Enrolment>>>,
}

/// A machine: what stays when its node is stopped.
#[derive(Debug, Clone)]
pub struct Machine {
    pub world: World,
    pub seed: u8,
    pub store: Arc<dyn Store>,
}

/// A node that runs.
#[derive(Debug)]
pub struct Node {
    pub enrolment: Enrolment,
    pub id: NodeId,
    pub mesh: Arc<MemoryMesh>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    pub fn new() -> Self {
        let clock = Arc::new(VirtualClock::new(Timestamp(1_000_000)));
        Self { hub: MemoryHub::new(), clock, directory: Arc::default() }
    }

    pub fn machine(&self, seed: u8) -> Machine {
        Machine { world: self.clone(), seed, store: Arc::new(MemoryStore::new()) }
    }

    /// Lets invitations expire, and everything else that waits for time.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

/// Dials on a hub as whoever has the key.
pub async fn dial(
    hub: MemoryHub,
    seed: [u8; 32],
    to: NodeId,
) -> PortResult<Box<dyn ikigai_ports::gate::Duplex>> {
    let guest = hub.mesh(Key::of(seed).id());
    guest.allow(Allowed { peers: [(to, Vec::new())].into(), guests: Vec::new() });
    let stream = guest.open(to, Lane::Join).await;
    let refused = |_| PortError::Refused(format!("node {} has no place for this invitation", to.short()));
    let (near, far) = tokio::io::duplex(64 << 10);
    let mut stream = stream.map_err(refused)?;
    // The guest's links last as long as its stream.
    tokio::spawn(async move {
        let mut far = far;
        let _ = tokio::io::copy_bidirectional(&mut far, &mut stream).await;
        drop(guest);
    });
    Ok(Box::new(near))
}

impl Machine {
    pub async fn start(&self) -> Node {
        let key = Key::of([self.seed; 32]);
        let id = key.id();
        let hub = self.world.hub.clone();
        let mesh = hub.mesh(id);
        let peers = Arc::new(Directory { own: id, world: self.world.clone(), mesh: mesh.clone() });
        let enrolment = Enrolment::open(EnrolmentParts {
            store: self.store.clone(),
            clock: self.world.clock.clone(),
            rng: Arc::new(SeededRng::new(u64::from(self.seed) << 32 | self.world.clock_number())),
            signer: Arc::new(key),
            name: format!("node-{}", self.seed),
            reach: Some(Reach { mesh: mesh.clone(), peers }),
            dial: Arc::new(move |seed, to, _| dial(hub.clone(), seed, to).boxed()),
            fixed: Allowed::default(),
        });
        let enrolment = enrolment.await.unwrap();
        self.world.directory.lock().unwrap().insert(id, enrolment.clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn(enrolment.clone().run(stop.clone()));
        Node { enrolment, id, mesh, stop, task }
    }
}

impl World {
    fn clock_number(&self) -> u64 {
        use ikigai_ports::Clock as _;
        self.clock.now().0
    }
}

impl Node {
    pub async fn invite(&self) -> String {
        self.enrolment.invite(InviteRequest::default()).await.unwrap().token.unwrap()
    }

    pub async fn join(&self, token: &str) -> Result<JoinView, Problem> {
        self.enrolment.join(JoinRequest { token: token.to_owned() }).await
    }

    pub async fn linked(&self, other: NodeId, wanted: bool) {
        let mut links = self.mesh.links();
        let seen = tokio::time::timeout(SOON, links.wait_for(|l| l.contains_key(&other) == wanted)).await;
        seen.expect("in time").unwrap();
    }

    /// Waits until who may link with it is as wanted.
    pub async fn until_allowed(&self, wanted: impl Fn(&Allowed) -> bool) {
        let mut allowed = self.enrolment.allowed();
        let seen = tokio::time::timeout(SOON, allowed.wait_for(|a| wanted(a))).await;
        seen.expect("in time").unwrap();
    }

    pub async fn names(&self) -> Vec<String> {
        self.enrolment.mesh().await.unwrap().members.into_iter().map(|m| m.name).collect()
    }

    /// Ends it as a crash would: nothing is said to anyone.
    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(SOON, self.task).await.expect("ends in time").unwrap();
        self.mesh.close();
    }
}

/// Peers of a test: who is linked answers.
#[derive(Debug, Clone)]
struct Directory {
    own: NodeId,
    world: World,
    mesh: Arc<MemoryMesh>,
}

impl Peers for Directory {
    fn peer(&self, node: NodeId) -> Arc<dyn Peer> {
        let to = self.world.directory.lock().unwrap().get(&node).cloned();
        // Only what a link between the two would carry.
        let to = to.filter(|_| self.mesh.links().borrow().contains_key(&node));
        Arc::new(Remote { own: self.own, node, to })
    }

    fn handle(&self, _: NodeId) -> Arc<dyn NodeHandle> {
        unreachable!("enrolment asks no handle")
    }
}

#[derive(Debug)]
struct Remote {
    own: NodeId,
    node: NodeId,
    to: Option<Enrolment>,
}

#[async_trait]
impl Peer for Remote {
    async fn offer(&self, _: NodeId, _: Offer) -> PortResult<Admission> {
        Err(PortError::Unsupported("offer"))
    }
    async fn order(&self, _: NodeId, _: Fence, _: Order) -> PortResult<()> {
        Err(PortError::Unsupported("order"))
    }
    async fn report(&self, _: NodeId, _: Report) -> PortResult<Reply> {
        Err(PortError::Unsupported("report"))
    }
    async fn append(&self, _: NodeId, _: Lines) -> PortResult<Appended> {
        Err(PortError::Unsupported("append"))
    }
    async fn check(&self, _: NodeId, _: Check) -> PortResult<Checked> {
        Err(PortError::Unsupported("check"))
    }
    async fn pack(&self, _: NodeId, _: ProjectId, _: Commit, _: Vec<Commit>) -> PortResult<Pack> {
        Err(PortError::Unsupported("pack"))
    }
    async fn copy(&self, _: NodeId, _: CopyAsk) -> PortResult<Copied> {
        Err(PortError::Unsupported("copy"))
    }
    async fn roster(&self, _: NodeId, roster: Roster) -> PortResult<Roster> {
        let away = || PortError::unavailable(format!("node {}", self.node.short()), "it is away");
        let to = self.to.as_ref().ok_or_else(away)?;
        let linked = to.allowed().borrow().peers.contains_key(&self.own);
        if linked { to.compare(self.own, roster).await } else { Err(away()) }
    }
}
