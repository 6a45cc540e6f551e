//! Nodes that ask each other over links that break, freeze and come back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fake_peer;
mod limits;
mod links;
mod mesh;
mod raw;
mod streams;
mod verbs;

use fake_peer::FakePeer;
use ikigai_peers::GrpcPeers;
use ikigai_ports::testsuite::fake_node::FakeNode;
use ikigai_ports::{NodeHandle, Peer, Peers};
use ikigai_types::{NodeId, Timestamp};
use mesh::{Switch, TestMesh};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The node that asks.
fn near() -> NodeId {
    NodeId::from_bytes([1; 32])
}

/// The node that is asked.
fn far() -> NodeId {
    NodeId::from_bytes([2; 32])
}

/// Two nodes; the far one is served.
struct Pair {
    switch: Switch,
    node: FakeNode,
    peer: Arc<FakePeer>,
    peers: GrpcPeers,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Pair {
    fn new() -> Self {
        let switch = Switch::default();
        let node = FakeNode::shop(Timestamp(1_700_000_000_000), "/srv/my shop");
        let peer = Arc::new(FakePeer::default());
        let peers = GrpcPeers::new(Arc::new(switch.mesh(near())));
        let stop = CancellationToken::new();
        let server = serve(switch.mesh(far()), &peer, &node, &stop);
        Self { switch, node, peer, peers, stop, server }
    }

    /// The far node as a peer.
    fn far(&self) -> Arc<dyn Peer> {
        self.peers.peer(far())
    }

    /// The far node's handle.
    fn handle(&self) -> Arc<dyn NodeHandle> {
        self.peers.handle(far())
    }
}

fn serve(mesh: TestMesh, peer: &Arc<FakePeer>, node: &FakeNode, stop: &CancellationToken) -> JoinHandle<()> {
    tokio::spawn(ikigai_grpc::serve(Arc::new(mesh), peer.clone(), Arc::new(node.clone()), stop.clone()))
}
