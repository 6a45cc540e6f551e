//! Authenticated links between the nodes of one mesh: streams that arrive or break, and frames that may be lost.

use crate::PortResult;
use crate::gate::Duplex;
use async_trait::async_trait;
use ikigai_types::NodeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A node's links to its peers.
///
/// * Who is at the other end is proven by its key before a byte reaches anyone here; a key that is neither an
///   allowed peer nor a guest is refused at the connection, before any protocol.
/// * Links are made, kept and made again by the backend; a caller never dials.
/// * Every method is cancel-safe. Everything is bounded: links, pending handshakes, streams, frames.
#[async_trait]
pub trait Mesh: fmt::Debug + Send + Sync + 'static {
    /// This node.
    fn id(&self) -> NodeId;

    /// Who may link from now on; a link of anyone else is closed. Replaces what was said before.
    fn allow(&self, allowed: Allowed);

    /// The present links.
    fn links(&self) -> watch::Receiver<Arc<Links>>;

    /// Where this node can be reached, as others would dial it: multiaddresses without a peer id.
    fn addresses(&self) -> Vec<String>;

    /// A stream to `peer`. [`crate::PortError::Unavailable`] within three seconds when it cannot be reached.
    async fn open(&self, peer: NodeId, lane: Lane) -> PortResult<Box<dyn Duplex>>;

    /// The next stream a peer opened on `lane`; guests reach [`Lane::Join`] and nothing else.
    /// [`crate::PortError::Unavailable`] once the mesh was closed.
    async fn accept(&self, lane: Lane) -> PortResult<(NodeId, Box<dyn Duplex>)>;

    /// Sends a frame of at most [`MAX_FRAME`] bytes; it may be lost, and is when its queue is full.
    fn send(&self, peer: NodeId, frame: Vec<u8>);

    /// The next frame of a peer. Only one caller at a time.
    async fn receive(&self) -> PortResult<(NodeId, Vec<u8>)>;
}

/// The longest frame: 16 KiB.
pub const MAX_FRAME: usize = 16 << 10;

/// What a stream is for; each lane of a peer has windows of its own, so that none starves another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Claims, reports, commands: short calls.
    Control,
    /// Log lines and events.
    Logs,
    /// Git objects and artifacts.
    Files,
    /// Bytes to and from an agent's editor or terminal.
    Agent,
    /// Enrolment; the only lane a guest reaches.
    Join,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 5] = [Self::Control, Self::Logs, Self::Files, Self::Agent, Self::Join];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Logs => "logs",
            Self::Files => "files",
            Self::Agent => "agent",
            Self::Join => "join",
        }
    }
}

/// Who may link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Enrolled nodes, each with the addresses it may be reached at, the best first.
    pub peers: BTreeMap<NodeId, Vec<String>>,
    /// Keys of open invitations; each may reach [`Lane::Join`].
    pub guests: Vec<NodeId>,
}

/// Present links by peer.
pub type Links = BTreeMap<NodeId, Link>;

/// A link that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The other end's address as this node sees it.
    pub address: String,
    /// Whether it goes through a relay.
    pub relayed: bool,
    /// The newest measured round trip.
    pub round_trip: Option<Duration>,
}
