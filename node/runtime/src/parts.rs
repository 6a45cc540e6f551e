//! Every port a node runs on.

use ikigai_ports::{
    Arbiter, Checkout, Clock, EditorLinks, Executor, Forge, Gates, Keys, Logs, Mesh, Objects, Peer, Peers,
    PortError, PortResult, Rng, Signer, Store, Workspaces,
};
use ikigai_types::NodeId;
use std::sync::Arc;

/// The world, as one node sees it. Cheap to clone.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each field is its port")]
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub logs: Arc<dyn Logs>,
    pub executor: Arc<dyn Executor>,
    pub forge: Arc<dyn Forge>,
    pub workspaces: Arc<dyn Workspaces>,
    pub objects: Arc<dyn Objects>,
    pub checkout: Arc<dyn Checkout>,
    pub gates: Arc<dyn Gates>,
    pub links: Arc<dyn EditorLinks>,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub signer: Arc<dyn Signer>,
    pub keys: Arc<dyn Keys>,
    pub reach: Option<Reach>,
    pub arbiter: Option<Arc<dyn Arbiter>>,
}

/// The way to other nodes; a node without one is alone.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each field is its port")]
pub struct Reach {
    pub mesh: Arc<dyn Mesh>,
    pub peers: Arc<dyn Peers>,
}

impl Parts {
    /// The node called `node`.
    pub(crate) fn peer(&self, node: NodeId) -> PortResult<Arc<dyn Peer>> {
        let reach = self.reach.as_ref();
        let away =
            || PortError::unavailable(format!("node {}", node.short()), "this node has no links to others");
        reach.map(|r| r.peers.peer(node)).ok_or_else(away)
    }
}
