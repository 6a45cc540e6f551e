//! A mesh in memory whose links a test cuts, freezes and mends.

use async_trait::async_trait;
use ikigai_ports::gate::Duplex;
use ikigai_ports::mesh::{Allowed, Lane, Links};
use ikigai_ports::{Mesh, PortError, PortResult};
use ikigai_types::NodeId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, watch};

type Stream = (NodeId, Box<dyn Duplex>);

/// What every link goes through.
#[derive(Debug, Clone, Default)]
pub struct Switch(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    doors: Mutex<HashMap<(NodeId, Lane), mpsc::Sender<Stream>>>,
    state: watch::Sender<State>,
    opened: AtomicUsize,
    tried: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Up,
    /// Nothing gets through, and nobody is told.
    Frozen,
    /// Streams end, and none can be opened.
    Down,
}

/// One node's end.
#[derive(Debug)]
pub struct TestMesh {
    id: NodeId,
    switch: Switch,
    arrivals: HashMap<Lane, tokio::sync::Mutex<mpsc::Receiver<Stream>>>,
    links: watch::Sender<Arc<Links>>,
}

impl Switch {
    /// The end of `id`; the one it had before is closed.
    pub fn mesh(&self, id: NodeId) -> TestMesh {
        let mut arrivals = HashMap::new();
        for lane in Lane::ALL {
            let (sender, receiver) = mpsc::channel(64);
            self.0.doors.lock().unwrap().insert((id, lane), sender);
            arrivals.insert(lane, tokio::sync::Mutex::new(receiver));
        }
        TestMesh { id, switch: self.clone(), arrivals, links: watch::channel(Arc::default()).0 }
    }

    pub fn freeze(&self) {
        self.0.state.send_replace(State::Frozen);
    }

    pub fn cut(&self) {
        self.0.state.send_replace(State::Down);
    }

    pub fn mend(&self) {
        self.0.state.send_replace(State::Up);
    }

    /// Streams that were opened so far.
    pub fn opened(&self) -> usize {
        self.0.opened.load(Ordering::SeqCst)
    }

    /// Streams that were asked for so far.
    pub fn tried(&self) -> usize {
        self.0.tried.load(Ordering::SeqCst)
    }

    /// Bytes that went through so far.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::SeqCst)
    }

    /// A stream of `from` to `to`.
    pub async fn connect(&self, from: NodeId, to: NodeId, lane: Lane) -> PortResult<DuplexStream> {
        self.0.tried.fetch_add(1, Ordering::SeqCst);
        // Frozen links are found out after a while, as dialling does.
        let mut state = self.0.state.subscribe();
        let is_up = state.wait_for(|s| *s != State::Frozen);
        let is_up = tokio::time::timeout(std::time::Duration::from_secs(3), is_up).await;
        let away = || PortError::unavailable(format!("node {}", to.short()), "no link");
        if !is_up.is_ok_and(|s| s.is_ok_and(|s| *s == State::Up)) {
            return Err(away());
        }
        let door = self.0.doors.lock().unwrap().get(&(to, lane)).cloned().ok_or_else(away)?;
        let (ours, our_end) = tokio::io::duplex(64 << 10);
        let (theirs, their_end) = tokio::io::duplex(64 << 10);
        door.send((from, Box::new(theirs))).await.map_err(|_| away())?;
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(self.clone().carry(our_end, their_end));
        Ok(ours)
    }

    async fn carry(self, one: DuplexStream, other: DuplexStream) {
        let (one_in, one_out) = tokio::io::split(one);
        let (other_in, other_out) = tokio::io::split(other);
        let mut state = self.0.state.subscribe();
        tokio::select! {
            () = self.pass(one_in, other_out) => {}
            () = self.pass(other_in, one_out) => {}
            _ = state.wait_for(|s| *s == State::Down) => {}
        }
    }

    async fn pass(
        &self,
        mut from: tokio::io::ReadHalf<DuplexStream>,
        mut to: tokio::io::WriteHalf<DuplexStream>,
    ) {
        let mut state = self.0.state.subscribe();
        let mut bytes = vec![0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut bytes).await {
            if state.wait_for(|s| *s != State::Frozen).await.is_err() {
                return;
            }
            self.0.bytes.fetch_add(n, Ordering::SeqCst);
            if to.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    }
}

#[async_trait]
impl Mesh for TestMesh {
    fn id(&self) -> NodeId {
        self.id
    }

    fn allow(&self, _: Allowed) {}

    fn links(&self) -> watch::Receiver<Arc<Links>> {
        self.links.subscribe()
    }

    fn addresses(&self) -> Vec<String> {
        Vec::new()
    }

    async fn open(&self, peer: NodeId, lane: Lane) -> PortResult<Box<dyn Duplex>> {
        Ok(Box::new(self.switch.connect(self.id, peer, lane).await?))
    }

    async fn accept(&self, lane: Lane) -> PortResult<Stream> {
        let arrived = self.arrivals[&lane].lock().await.recv().await;
        arrived.ok_or_else(|| PortError::unavailable("the mesh", "closed"))
    }

    fn send(&self, _: NodeId, _: Vec<u8>) {}

    async fn receive(&self) -> PortResult<(NodeId, Vec<u8>)> {
        std::future::pending().await
    }
}
