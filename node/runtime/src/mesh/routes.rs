//! Bytes to and from an agent's editor and its terminal, wherever the agent runs.

use crate::terminal::Terminals;
use async_trait::async_trait;
use ikigai_ports::gate::{Duplex, GateOrder, GatePolicy};
use ikigai_ports::mesh::Lane;
use ikigai_ports::{Gates, Mesh, PortError, PortResult};
use ikigai_types::{Fence, NodeId, Usage, Writer};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest name of an agent: a DNS label.
const LABEL: usize = 63;
/// The longest line that names what a stream is for.
const WANTED: usize = 256;
/// How long a peer has to name what it wants.
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

    async fn dial_terminal(&self, fence: &Fence) -> PortResult<Box<dyn Duplex>> {
        self.own.dial_terminal(fence).await
    }

    fn has_editor_open(&self, fence: &Fence) -> bool {
        self.own.has_editor_open(fence)
    }

    async fn tell(&self, fence: &Fence, order: GateOrder) -> PortResult<()> {
        self.own.tell(fence, order).await
    }
}

/// A stream to the terminal of `agent` on `node`, for `writer` who came in here.
pub(crate) async fn open_terminal(
    mesh: &dyn Mesh,
    node: NodeId,
    agent: &str,
    writer: &Writer,
) -> PortResult<Box<dyn Duplex>> {
    let mut stream = mesh.open(node, Lane::Agent).await?;
    let away = |e| PortError::unavailable(format!("node {}", node.short()), e);
    let line = format!("{agent} terminal {}\n", writer.name);
    stream.write_all(line.as_bytes()).await.map_err(away)?;
    Ok(stream)
}

/// What a stream of a peer is for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Editor(String),
    Terminal { agent: String, person: String },
}

/// Joins streams of peers to the editors and terminals they name, until `stop`.
pub(crate) async fn serve_agents(
    mesh: Arc<dyn Mesh>,
    (gates, terminals): (Arc<dyn Gates>, Terminals),
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
        let (gates, terminals, stop) = (gates.clone(), terminals.clone(), stop.clone());
        tracker.spawn(async move {
            let _place = place;
            tokio::select! {
                () = stop.cancelled() => {}
                joined = join(gates, terminals, peer, stream) => if let Err(error) = joined {
                    tracing::debug!(peer = %peer.short(), error = error.chain(), "a stream to an agent ended");
                }
            }
        });
    }
}

async fn join(
    gates: Arc<dyn Gates>,
    terminals: Terminals,
    peer: NodeId,
    mut stream: Box<dyn Duplex>,
) -> PortResult<()> {
    let broken = |e: std::io::Error| PortError::unavailable("the peer", e);
    let line = tokio::time::timeout(HELLO, line(&mut stream)).await;
    let line = line.map_err(|e| PortError::unavailable("the peer", e))?.map_err(broken)?;
    match wanted(&line) {
        Some(Wanted::Editor(agent)) => {
            let mut editor = gates.dial_editor(&agent).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut editor).await.map_err(broken)?;
            Ok(())
        }
        Some(Wanted::Terminal { agent, person }) => {
            // The name is the peer's word; which node it came in by is proven.
            terminals.serve(&agent, Writer::new(&person, peer), stream).await
        }
        None => Err(PortError::Refused("the peer does not say what it wants".to_owned())),
    }
}

/// The line that says what a stream is for.
async fn line(stream: &mut Box<dyn Duplex>) -> std::io::Result<String> {
    let mut line = String::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return Ok(line),
            b if line.len() < WANTED && (b.is_ascii_graphic() || b == b' ') => line.push(char::from(b)),
            _ => return Err(std::io::ErrorKind::InvalidData.into()),
        }
    }
}

/// `agent` alone is its editor; `agent terminal person` its terminal.
fn wanted(line: &str) -> Option<Wanted> {
    let words: Vec<_> = line.split(' ').collect();
    let (agent, rest) = words.split_first()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if agent.is_empty() || agent.len() > LABEL || !agent.bytes().all(plain) {
        return None;
    }
    let agent = (*agent).to_owned();
    match rest {
        [] => Some(Wanted::Editor(agent)),
        ["terminal", person] => Some(Wanted::Terminal { agent, person: (*person).to_owned() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_a_stream_is_for() {
        let agent = || "t001-1-ab".to_owned();
        assert_eq!(wanted("t001-1-ab"), Some(Wanted::Editor(agent())));
        let terminal = Wanted::Terminal { agent: agent(), person: "alice@laptop".to_owned() };
        assert_eq!(wanted("t001-1-ab terminal alice@laptop"), Some(terminal));
        for bad in ["", " ", "a b", "a terminal", "a terminal b c", "../x", "a.b", &"a".repeat(64)] {
            assert_eq!(wanted(bad), None, "{bad}");
        }
    }
}
