//! Strangers and members that mean harm, against a node that goes on working: no panic, memory and CPU stay its own.
//!
//! A program of its own, because it measures the process. The attackers are in it too: what they hold counts.
#![allow(clippy::unwrap_used)]

mod cost;

use cost::Cost;
use futures::FutureExt;
use ikigai_libp2p::{Libp2pMesh, MeshOptions, dial_as_guest};
use ikigai_ports::mesh::{Allowed, Lane, MAX_FRAME, Mesh};
use ikigai_types::NodeId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
/// What must happen happens within this, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);
/// Connections of those who say nothing or rubbish.
const SILENT: usize = 1_200;
const STRANGERS: u8 = 60;
const FRAMES: usize = 50_000;
const STREAMS: usize = 400;

async fn start(seed: u8, listen: &[&str]) -> Arc<Libp2pMesh> {
    let listen = listen.iter().map(|&s| s.to_owned()).collect();
    let options = MeshOptions { seed: [seed; 32], listen, mdns: false, relay: false };
    Arc::new(Libp2pMesh::start(options).await.unwrap())
}

fn allow(me: &Libp2pMesh, peers: &[&Libp2pMesh]) {
    let peers = peers.iter().map(|p| (p.id(), p.addresses())).collect();
    me.allow(Allowed { peers, guests: Vec::new() });
}

async fn linked(me: &Libp2pMesh, peer: NodeId, wanted: bool) {
    let mut links = me.links();
    let seen = timeout(SOON, links.wait_for(|l| l.contains_key(&peer) == wanted)).await;
    seen.unwrap_or_else(|_| panic!("linked is not {wanted}")).unwrap();
}

/// Answers on every stream of `Lane::Control` what it got.
fn answer(mesh: Arc<Libp2pMesh>) {
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

async fn call(from: &Libp2pMesh, to: NodeId) {
    let asked = async {
        let mut stream = from.open(to, Lane::Control).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"ping");
    };
    timeout(SOON, asked).await.expect("a friend's call is answered");
}

fn socket(mesh: &Libp2pMesh) -> SocketAddr {
    let address = mesh.addresses().remove(0);
    let parts: Vec<&str> = address.split('/').collect();
    format!("{}:{}", parts[2], parts[4]).parse().unwrap()
}

/// Connects and says nothing, or a start of a handshake, or rubbish; and holds on.
async fn silent(to: SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for i in 0..SILENT {
        let Ok(mut stream) = TcpStream::connect(to).await else { continue };
        let said: &[u8] = match i % 4 {
            0 | 1 => b"",
            2 => b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff",
            _ => &[0xff; 4_096],
        };
        let _ = stream.write_all(said).await;
        held.push(stream);
    }
    held
}

/// Keys that nobody enrolled knock, many at once.
async fn strangers(host: &Libp2pMesh) {
    let knock = |i: u8| dial_as_guest([100 + i; 32], host.id(), host.addresses());
    let answers = futures::future::join_all((0..STRANGERS).map(knock)).await;
    assert!(answers.iter().all(Result::is_err), "a stranger got in");
    assert!(host.accept(Lane::Join).now_or_never().is_none(), "a stranger was heard");
    assert!(host.receive().now_or_never().is_none(), "a stranger's frame was taken");
}

/// A member opens as many streams as it gets and says nothing on them, or more than anybody reads.
async fn hoard(member: &Libp2pMesh, host: NodeId) -> usize {
    let mut held = Vec::new();
    for i in 0..STREAMS {
        let lane = [Lane::Control, Lane::Files, Lane::Logs][i % 3];
        let Ok(mut stream) = member.open(host, lane).await else { continue };
        if lane != Lane::Control {
            // As much as fits, which is not much: nobody there accepts it.
            let _ = timeout(Duration::from_millis(5), stream.write_all(&[0; 1 << 20])).await;
        }
        held.push(stream);
    }
    held.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_among_enemies() {
    cost::allow_files(4 * SILENT as u64);
    let (host, friend, member) = (start(1, &[TCP]).await, start(2, &[TCP]).await, start(3, &[TCP]).await);
    allow(&host, &[&friend, &member]);
    allow(&friend, &[&host]);
    allow(&member, &[&host]);
    answer(Arc::clone(&host));
    linked(&friend, host.id(), true).await;
    linked(&member, host.id(), true).await;
    call(&friend, host.id()).await;
    let before = Cost::now();

    let held = silent(socket(&host)).await;
    assert!(held.len() >= 1_000, "{} connections", held.len());
    call(&friend, host.id()).await;
    strangers(&host).await;
    call(&friend, host.id()).await;
    // They are closed by the host, as none finishes its handshake in time.
    let ends = held.into_iter().map(|mut stream| async move {
        let mut rest = Vec::new();
        let _ = timeout(SOON, stream.read_to_end(&mut rest)).await.expect("a silent connection is closed");
    });
    futures::future::join_all(ends).await;
    call(&friend, host.id()).await;
    before.grown("silent connections and strangers");

    // Frames that nobody takes: each peer has its share of the queue, so a friend's still come.
    for i in 0..FRAMES {
        member.send(host.id(), vec![7; MAX_FRAME]);
        if i % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    friend.send(host.id(), b"hello".to_vec());
    let heard = async {
        loop {
            if host.receive().await.unwrap() == (friend.id(), b"hello".to_vec()) {
                break;
            }
        }
    };
    timeout(SOON, heard).await.expect("a friend's frame comes through a flood");
    before.grown("a flood of frames");

    let opened = timeout(Duration::from_secs(60), hoard(&member, host.id())).await.expect("no stream hangs");
    println!("{opened} of {STREAMS} streams were opened");
    call(&friend, host.id()).await;
    before.grown("hoarded streams");

    // Put out, it is gone at once, and with it what it held.
    allow(&host, &[&friend]);
    linked(&host, member.id(), false).await;
    call(&friend, host.id()).await;
    member.stop().await;
    drop(member);
    let calm = Instant::now();
    while Cost::busy(Duration::from_secs(1)).await > 0.05 {
        assert!(calm.elapsed() < SOON, "the node does not calm down");
    }
    println!("calm after {:?}", calm.elapsed());
    call(&friend, host.id()).await;
    before.grown("all of it");
}
