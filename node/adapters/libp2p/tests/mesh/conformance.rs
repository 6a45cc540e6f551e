//! The mesh over libp2p keeps what the port promises, over each transport.

use crate::{QUIC, TCP};
use ikigai_libp2p::{Libp2pMesh, MeshOptions};
use ikigai_ports::mesh::Mesh;
use ikigai_ports::testsuite;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

async fn nodes(count: usize, listen: &[&str]) -> Vec<Arc<dyn Mesh>> {
    static SEED: AtomicU8 = AtomicU8::new(1);
    let mut nodes: Vec<Arc<dyn Mesh>> = Vec::new();
    for _ in 0..count {
        let seed = [SEED.fetch_add(1, Ordering::Relaxed); 32];
        let listen = listen.iter().map(|&text| text.to_owned()).collect();
        let options = MeshOptions { seed, listen, mdns: false, relay: false };
        nodes.push(Arc::new(Libp2pMesh::start(options).await.unwrap()));
    }
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp() {
    testsuite::mesh::mesh(async |count| nodes(count, &[TCP]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_quic() {
    testsuite::mesh::mesh(async |count| nodes(count, &[QUIC]).await).await;
}
