//! Bytes to and from an agent's editor, wherever the agent runs.

use async_trait::async_trait;
use ikigai_ports::gate::{Duplex, GateOrder, GatePolicy};
use ikigai_ports::mesh::Lane;
use ikigai_ports::{Gates, Mesh, PortError, PortResult};
use ikigai_types::{Fence, NodeId, Usage};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest name of an agent: a DNS label.
const LABEL: usize = 63;
/// How long a peer has to name the agent it wants.
const HELLO: Duration = Duration::from_secs(5);
/// Agents on other nodes that are remembered.
const ROUTES: usize = 4096;
/// Streams of peers at once.
const STREAMS: usize = 512;

/// Gates of this machine, and the way to agents of others that were looked up.
#[derive(Debug)]
pub struct RoutedGates {
    own: Arc<dyn Gates>,
    mesh: Arc<dyn Mesh>,
    routes: Arc<Routes>,
}

/// Which node runs which agent, as far as someone asked for it.
#[derive(Debug, Default)]
pub struct Routes(Mutex<BTreeMap<String, NodeId>>);

impl Routes {
    /// `agent` runs on `node`.
    pub(crate) fn learn(&self, agent: &str, node: NodeId) {
        let mut routes = self.0.lock().expect("invariant: no panic while routes are held");
        if routes.len() >= ROUTES {
            routes.clear();
        }
        routes.insert(agent.to_owned(), node);
    }

    fn of(&self, agent: &str) -> Option<NodeId> {
        self.0.lock().expect("invariant: no panic while routes are held").get(agent).copied()
    }
}

impl RoutedGates {
    /// The gates of this machine, with a way to those of others.
    pub fn new(own: Arc<dyn Gates>, mesh: Arc<dyn Mesh>, routes: Arc<Routes>) -> Self {
        Self { own, mesh, routes }
    }
}

#[async_trait]
impl Gates for RoutedGates {
    async fn open(&self, fence: &Fence, agent: &str, folder: &Path, policy: GatePolicy) -> PortResult<()> {
        self.own.open(fence, agent, folder, policy).await
    }

    async fn close(&self, fence: &Fence) -> PortResult<Usage> {
        self.own.close(fence).await
    }

    async fn dial_editor(&self, agent: &str) -> PortResult<Box<dyn Duplex>> {
        match self.own.dial_editor(agent).await {
            Err(PortError::NotFound(what)) => match self.routes.of(agent) {
                Some(node) if node != self.mesh.id() => {
                    let mut stream = self.mesh.open(node, Lane::Agent).await?;
                    let away = |e| PortError::unavailable(format!("node {}", node.short()), e);
                    stream.write_all(format!("{agent}\n").as_bytes()).await.map_err(away)?;
                    Ok(stream)
                }
                _ => Err(PortError::NotFound(what)),
            },
            answer => answer,
        }
    }

    async fn tell(&self, fence: &Fence, order: GateOrder) -> PortResult<()> {
        self.own.tell(fence, order).await
    }
}

/// Joins streams of peers to the editors they name, until `stop`.
pub(crate) async fn serve_agents(
    mesh: Arc<dyn Mesh>,
    gates: Arc<dyn Gates>,
    tracker: TaskTracker,
    stop: CancellationToken,
) {
    let room = Arc::new(tokio::sync::Semaphore::new(STREAMS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = mesh.accept(Lane::Agent) => accepted,
        };
        let Ok((peer, stream)) = accepted else { return };
        let Ok(place) = room.clone().try_acquire_owned() else { continue };
        let (gates, stop) = (gates.clone(), stop.clone());
        tracker.spawn(async move {
            let _place = place;
            tokio::select! {
                () = stop.cancelled() => {}
                joined = join(gates, stream) => if let Err(error) = joined {
                    tracing::debug!(peer = %peer.short(), error = error.chain(), "a stream to an agent ended");
                }
            }
        });
    }
}

async fn join(gates: Arc<dyn Gates>, mut stream: Box<dyn Duplex>) -> PortResult<()> {
    let broken = |e: std::io::Error| PortError::unavailable("the peer", e);
    let label = tokio::time::timeout(HELLO, label(&mut stream)).await;
    let label = label.map_err(|e| PortError::unavailable("the peer", e))?.map_err(broken)?;
    let mut editor = gates.dial_editor(&label).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut editor).await.map_err(broken)?;
    Ok(())
}

/// The line that names an agent: a DNS label.
async fn label(stream: &mut Box<dyn Duplex>) -> std::io::Result<String> {
    let mut label = String::new();
    loop {
        match stream.read_u8().await? {
            b'\n' if !label.is_empty() => return Ok(label),
            b if label.len() < LABEL && (b.is_ascii_alphanumeric() || b == b'-') => label.push(char::from(b)),
            _ => return Err(std::io::ErrorKind::InvalidData.into()),
        }
    }
}
