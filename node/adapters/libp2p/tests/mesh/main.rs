//! Meshes over libp2p, on loopback alone.

mod conformance;
mod cut;
mod links;
mod proxy;
mod relay;

use ikigai_libp2p::{Libp2pMesh, MeshOptions};
use ikigai_ports::mesh::{Allowed, Lane, Mesh};
use ikigai_types::NodeId;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
/// What must happen happens within this.
const SOON: Duration = Duration::from_secs(10);

/// A node that knows nobody.
async fn start(seed: u8, listen: &[&str]) -> Libp2pMesh {
    with_options(seed, listen, false).await
}

async fn with_options(seed: u8, listen: &[&str], relay: bool) -> Libp2pMesh {
    let listen = listen.iter().map(|&s| s.to_owned()).collect();
    Libp2pMesh::start(MeshOptions { seed: [seed; 32], listen, mdns: false, relay }).await.unwrap()
}

/// `me` lets `peers` link, and finds them where they listen.
fn allow(me: &Libp2pMesh, peers: &[&Libp2pMesh]) {
    let peers = peers.iter().map(|p| (p.id(), p.addresses())).collect();
    me.allow(Allowed { peers, guests: Vec::new() });
}

/// `me` lets `peer` link and looks for it at `addresses`.
fn allow_at(me: &Libp2pMesh, peer: NodeId, addresses: &[String]) {
    me.allow(Allowed { peers: [(peer, addresses.to_vec())].into(), guests: Vec::new() });
}

/// Waits until `me` is linked with `peer`, or is not.
async fn linked(me: &Libp2pMesh, peer: NodeId, wanted: bool) {
    let mut links = me.links();
    let seen = timeout(SOON, links.wait_for(|l| l.contains_key(&peer) == wanted)).await;
    seen.unwrap_or_else(|_| panic!("linked is not {wanted}")).unwrap();
}

/// Answers on every stream of `Lane::Control` what it got, for ever.
fn answer(mesh: std::sync::Arc<Libp2pMesh>) {
    tokio::spawn(async move {
        while let Ok((_, mut stream)) = mesh.accept(Lane::Control).await {
            tokio::spawn(async move {
                let mut got = Vec::new();
                if stream.read_to_end(&mut got).await.is_ok() && stream.write_all(&got).await.is_ok() {
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
}

/// One call to a node that answers.
async fn call(from: &Libp2pMesh, to: NodeId) -> Result<(), String> {
    let mut stream = from.open(to, Lane::Control).await.map_err(|e| e.chain())?;
    let ask = async {
        stream.write_all(b"ping").await?;
        stream.shutdown().await?;
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await?;
        std::io::Result::Ok(got)
    };
    let got = timeout(Duration::from_secs(2), ask).await.map_err(|_| "no answer")?;
    if got.map_err(|e| e.to_string())? == b"ping" { Ok(()) } else { Err("wrong answer".into()) }
}

/// Calls until it works.
async fn call_until(from: &Libp2pMesh, to: NodeId) {
    let calls = async {
        while let Err(error) = call(from, to).await {
            println!("  call failed: {error}");
        }
    };
    timeout(SOON, calls).await.expect("a call works in time");
}
