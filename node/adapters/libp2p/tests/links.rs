//! Meshes on loopback: who links, what flows, what is refused.

use ikigai_libp2p::{Libp2pMesh, MeshOptions, dial_as_guest};
use ikigai_ports::mesh::{Allowed, Lane};
use ikigai_ports::{Mesh, PortError};
use ikigai_types::NodeId;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

async fn mesh(seed: u8, listen: &[&str]) -> Libp2pMesh {
    let listen = listen.iter().map(|&s| s.to_owned()).collect();
    Libp2pMesh::start(MeshOptions { seed: [seed; 32], listen, mdns: false, relay: false }).await.unwrap()
}

fn allow(me: &Libp2pMesh, peers: &[&Libp2pMesh]) {
    let peers = peers.iter().map(|p| (p.id(), p.addresses())).collect();
    me.allow(Allowed { peers, guests: Vec::new() });
}

async fn linked(mesh: &Libp2pMesh, peer: NodeId) {
    let mut links = mesh.links();
    timeout(SOON, links.wait_for(|l| l.contains_key(&peer))).await.expect("linked in time").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_link_and_talk() {
    let start = Instant::now();
    let a = mesh(1, &["/ip4/127.0.0.1/tcp/0"]).await;
    let b = mesh(2, &["/ip4/127.0.0.1/tcp/0"]).await;
    allow(&a, &[&b]);
    allow(&b, &[&a]);
    linked(&a, b.id()).await;
    linked(&b, a.id()).await;
    println!("linked after {:?}: {:?}", start.elapsed(), a.links().borrow());
    let mut out = a.open(b.id(), Lane::Control).await.unwrap();
    out.write_all(b"hello").await.unwrap();
    out.shutdown().await.unwrap();
    let (from, mut stream) = b.accept(Lane::Control).await.unwrap();
    assert_eq!(from, a.id());
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
    stream.write_all(b"back").await.unwrap();
    stream.shutdown().await.unwrap();
    text.clear();
    out.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "back");
    a.send(b.id(), b"frame".to_vec());
    assert_eq!(timeout(SOON, b.receive()).await.unwrap().unwrap(), (a.id(), b"frame".to_vec()));
    b.stop().await;
    let mut links = a.links();
    timeout(SOON, links.wait_for(|l| l.is_empty())).await.expect("seen in time").unwrap();
    assert!(b.accept(Lane::Control).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_gets_in_on_one_lane() {
    let host = mesh(3, &["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"]).await;
    let seed = [4; 32];
    let refused = dial_as_guest(seed, host.id(), host.addresses()).await.err().unwrap();
    assert!(matches!(refused, PortError::Refused(_)), "{refused}");
    let guest = mesh(4, &[]).await.id();
    host.allow(Allowed { guests: vec![guest], ..Allowed::default() });
    let mut stream = dial_as_guest(seed, host.id(), host.addresses()).await.unwrap();
    stream.write_all(b"let me in").await.unwrap();
    stream.shutdown().await.unwrap();
    let (from, mut taken) = timeout(SOON, host.accept(Lane::Join)).await.unwrap().unwrap();
    assert_eq!(from, guest);
    let mut text = String::new();
    taken.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "let me in");
    assert!(host.links().borrow().is_empty(), "a guest is no link");
    assert!(host.open(guest, Lane::Control).await.is_err(), "a guest is not opened to");
    let other = mesh(5, &[]).await.id();
    let wrong = dial_as_guest(seed, other, host.addresses()).await.err().unwrap();
    assert!(matches!(wrong, PortError::Refused(_)), "{wrong}");
}
