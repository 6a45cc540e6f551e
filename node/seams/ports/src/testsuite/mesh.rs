//! The suite of [`Mesh`].

use crate::PortError;
use crate::gate::Duplex;
use crate::mesh::{Allowed, Lane, MAX_FRAME, Mesh};
use ikigai_types::NodeId;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

/// What must happen happens within this.
const SOON: Duration = Duration::from_secs(10);
/// What must not happen is waited for this long.
const WHILE: Duration = Duration::from_millis(700);
/// What the port allows `open`, and some for a machine that is busy with other things.
const OPEN: Duration = Duration::from_secs(5);

type Node = Arc<dyn Mesh>;

/// Holds a backend to the port. `make` answers so many new nodes that can reach each other and allow nobody.
///
/// # Panics
/// At the first promise that is not kept. Wants a runtime with more than one thread.
pub async fn mesh(make: impl AsyncFn(usize) -> Vec<Node>) {
    // These mostly wait for what must not happen, so they do at once.
    tokio::join!(async { stranger(&make(3).await).await }, async { removed(&make(3).await).await }, async {
        guests(&make(2).await).await
    },);
    links(&make(3).await).await;
    lanes(&make(2).await).await;
    halves(&make(2).await).await;
    stalled(&make(2).await).await;
    cancelled(&make(2).await).await;
    bursts(&make(2).await).await;
    frames(&make(3).await).await;
    flood(&make(3).await).await;
}

/// `me` lets `peers` link, and nobody else.
pub fn allow(me: &Node, peers: &[&Node]) {
    let peers = peers.iter().map(|p| (p.id(), p.addresses())).collect();
    me.allow(Allowed { peers, guests: Vec::new() });
}

/// Lets all link with all and waits until they do.
///
/// # Panics
/// When they do not.
pub async fn join(nodes: &[Node]) {
    let all: Vec<&Node> = nodes.iter().collect();
    all.iter().for_each(|me| allow(me, &all));
    for me in nodes {
        for other in nodes.iter().filter(|o| o.id() != me.id()) {
            linked(me, other.id(), true).await;
        }
    }
}

/// Waits until `me` is linked with `peer`, or is not.
///
/// # Panics
/// When that does not happen.
pub async fn linked(me: &Node, peer: NodeId, wanted: bool) {
    let mut links = me.links();
    let seen = timeout(SOON, links.wait_for(|l| l.contains_key(&peer) == wanted)).await;
    seen.unwrap_or_else(|_| panic!("{:?} and {peer:?}: linked is not {wanted}", me.id())).unwrap();
}

/// A stream from `a` to `b`, both ends.
///
/// # Panics
/// When there is none.
pub async fn stream(a: &Node, b: &Node, lane: Lane) -> (Box<dyn Duplex>, Box<dyn Duplex>) {
    let near = timeout(SOON, a.open(b.id(), lane)).await.expect("opened in time").unwrap();
    let (from, far) = timeout(SOON, b.accept(lane)).await.expect("accepted in time").unwrap();
    assert_eq!(from, a.id());
    (near, far)
}

async fn nothing_for(node: &Node) {
    let accepts = futures::future::select_all(Lane::ALL.map(|lane| node.accept(lane)));
    let nothing = timeout(WHILE, async {
        tokio::select! {
            _ = accepts => "a stream",
            _ = node.receive() => "a frame",
        }
    });
    assert_eq!(nothing.await.ok(), None);
}

async fn unavailable(a: &Node, b: NodeId, lane: Lane) {
    let start = Instant::now();
    let error = a.open(b, lane).await.err().expect("no stream");
    assert!(matches!(error, PortError::Unavailable { .. }), "{error}");
    assert!(start.elapsed() < OPEN, "open took {:?}", start.elapsed());
}

/// Who is not allowed by both is nobody.
async fn stranger(nodes: &[Node]) {
    let [a, b, c] = nodes else { panic!("three nodes") };
    assert!(a.id() != b.id() && !a.addresses().is_empty());
    unavailable(a, b.id(), Lane::Control).await;
    // B knows nothing of A, and C lets only B in.
    allow(a, &[a, b, c]);
    allow(c, &[b]);
    a.send(b.id(), b"x".to_vec());
    a.send(c.id(), b"x".to_vec());
    tokio::join!(
        unavailable(a, b.id(), Lane::Control),
        unavailable(a, c.id(), Lane::Join),
        unavailable(a, a.id(), Lane::Control),
        nothing_for(b),
        nothing_for(c),
    );
    assert!(b.links().borrow().is_empty() && c.links().borrow().is_empty());
    assert!(!a.links().borrow().contains_key(&a.id()), "a node is not linked with itself");
}

async fn links(nodes: &[Node]) {
    join(nodes).await;
    for me in nodes {
        let links = me.links();
        let links = links.borrow();
        assert_eq!(links.len(), nodes.len() - 1);
        assert!(links.values().all(|l| !l.address.is_empty() && !l.relayed));
    }
    // Saying the same again changes nothing.
    let (near, far) = stream(&nodes[0], &nodes[1], Lane::Control).await;
    let all: Vec<&Node> = nodes.iter().collect();
    all.iter().for_each(|me| allow(me, &all));
    echo(near, far, 1_000).await;
}

/// Sends bytes both ways at once and compares them.
async fn echo(near: Box<dyn Duplex>, far: Box<dyn Duplex>, length: usize) {
    let bytes = |start: u8| -> Vec<u8> { (0..length).map(|i| (i * 7 / 5) as u8 ^ start).collect() };
    let talk = async |stream: Box<dyn Duplex>, mine: u8, theirs: u8| {
        let (mut read, mut write) = tokio::io::split(stream);
        let sent = bytes(mine);
        let mut got = Vec::new();
        let send = async {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let (_, received) = tokio::join!(send, read.read_to_end(&mut got));
        received.unwrap();
        assert!(got == bytes(theirs), "{} of {length} bytes came", got.len());
    };
    let both = async { tokio::join!(talk(near, 1, 2), talk(far, 2, 1)) };
    timeout(3 * SOON, both).await.expect("all bytes in time");
}

async fn lanes(nodes: &[Node]) {
    join(nodes).await;
    for (a, b) in [(0, 1), (1, 0)] {
        let (a, b) = (&nodes[a], &nodes[b]);
        for lane in Lane::ALL {
            let (near, far) = stream(a, b, lane).await;
            echo(near, far, 100).await;
        }
        nothing_for(a).await;
    }
    let (near, far) = stream(&nodes[0], &nodes[1], Lane::Files).await;
    echo(near, far, 10 << 20).await;
}

/// Each direction ends by itself; a stream that is dropped ends for the other side too.
async fn halves(nodes: &[Node]) {
    join(nodes).await;
    let (mut near, mut far) = stream(&nodes[0], &nodes[1], Lane::Control).await;
    near.write_all(b"question").await.unwrap();
    near.shutdown().await.unwrap();
    let mut text = String::new();
    far.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "question");
    far.write_all(b"answer").await.unwrap();
    far.shutdown().await.unwrap();
    text.clear();
    near.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "answer");
    let (near, mut far) = stream(&nodes[0], &nodes[1], Lane::Control).await;
    drop(near);
    ended(&mut far).await;
}

/// Waits until a stream is at its end, one way or the other.
///
/// # Panics
/// When it is not.
pub async fn ended(stream: &mut Box<dyn Duplex>) {
    let mut rest = Vec::new();
    let end = timeout(SOON, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the stream goes on");
}

/// Streams that nobody reads hold up nothing else.
async fn stalled(nodes: &[Node]) {
    join(nodes).await;
    let (a, b) = (&nodes[0], &nodes[1]);
    let mut held = Vec::new();
    for lane in [Lane::Logs, Lane::Logs, Lane::Logs, Lane::Agent, Lane::Files] {
        let (mut near, far) = stream(a, b, lane).await;
        let fill = async {
            loop {
                near.write_all(&[7; 65_536]).await.unwrap();
            }
        };
        let filled: Result<(), _> = timeout(WHILE / 3, fill).await;
        assert!(filled.is_err());
        held.push((near, far));
    }
    for lane in [Lane::Control, Lane::Files, Lane::Logs] {
        let (near, far) = stream(a, b, lane).await;
        echo(near, far, 3 << 20).await;
    }
    a.send(b.id(), b"still".to_vec());
    assert_eq!(timeout(SOON, b.receive()).await.unwrap().unwrap(), (a.id(), b"still".to_vec()));
}

/// A call that is given up loses nothing that came.
async fn cancelled(nodes: &[Node]) {
    join(nodes).await;
    let (a, b) = (&nodes[0], &nodes[1]);
    for _ in 0..20 {
        let _ = timeout(Duration::from_millis(1), b.accept(Lane::Control)).await;
        let _ = timeout(Duration::from_millis(1), b.receive()).await;
    }
    let (near, far) = stream(a, b, Lane::Control).await;
    echo(near, far, 10).await;
    let _ = timeout(Duration::from_micros(100), a.open(b.id(), Lane::Agent)).await;
    let (near, far) = stream(a, b, Lane::Control).await;
    echo(near, far, 10).await;
}

async fn bursts(nodes: &[Node]) {
    join(nodes).await;
    let (a, b) = (&nodes[0], &nodes[1]);
    for _ in 0..5 {
        let opened = futures::future::join_all((0..20).map(|_| a.open(b.id(), Lane::Control))).await;
        let mut accepted = Vec::new();
        for _ in 0..20 {
            accepted.push(timeout(SOON, b.accept(Lane::Control)).await.expect("none is lost").unwrap());
        }
        for near in opened {
            near.unwrap().write_all(b"1").await.unwrap();
        }
    }
    for _ in 0..300 {
        let (near, far) = stream(a, b, Lane::Control).await;
        drop((near, far));
    }
}

async fn frames(nodes: &[Node]) {
    join(nodes).await;
    let [a, b, c] = nodes else { panic!("three nodes") };
    a.send(b.id(), vec![9; MAX_FRAME + 1]);
    for length in [0, 1, 255, 256, 1_400, MAX_FRAME] {
        let frame = vec![length as u8; length];
        // A frame may be lost, but not each of many.
        let mut tries = 0;
        let got = loop {
            a.send(b.id(), frame.clone());
            tries += 1;
            match timeout(SOON / 10, b.receive()).await {
                Ok(got) => break got.unwrap(),
                Err(_) => assert!(tries < 10, "no frame of {length} bytes came"),
            }
        };
        assert_eq!(got, (a.id(), frame));
    }
    c.send(b.id(), b"of c".to_vec());
    assert_eq!(timeout(SOON, b.receive()).await.unwrap().unwrap(), (c.id(), b"of c".to_vec()));
    b.send(c.id(), b"of b".to_vec());
    assert_eq!(timeout(SOON, c.receive()).await.unwrap().unwrap(), (b.id(), b"of b".to_vec()));
}

/// Sending never waits, and what is too much is dropped.
async fn flood(nodes: &[Node]) {
    join(nodes).await;
    let [a, b, _] = nodes else { panic!("three nodes") };
    let start = Instant::now();
    for _ in 0..20_000 {
        a.send(b.id(), vec![5; 4_000]);
    }
    assert!(start.elapsed() < SOON, "sending took {:?}", start.elapsed());
    let mut got = 0;
    while let Ok(frame) = timeout(WHILE, b.receive()).await {
        assert_eq!(frame.unwrap().1.len(), 4_000);
        got += 1;
    }
    assert!((1..20_000).contains(&got), "{got} frames came");
    a.send(b.id(), b"after".to_vec());
    assert_eq!(timeout(SOON, b.receive()).await.unwrap().unwrap().1, b"after");
}

/// Who is no longer allowed loses link and streams; who is again, gets them back.
async fn removed(nodes: &[Node]) {
    join(nodes).await;
    let [a, b, c] = nodes else { panic!("three nodes") };
    let (mut near, mut far) = stream(a, b, Lane::Control).await;
    allow(b, &[c]);
    ended(&mut near).await;
    ended(&mut far).await;
    linked(a, b.id(), false).await;
    linked(b, a.id(), false).await;
    a.send(b.id(), b"x".to_vec());
    tokio::join!(
        unavailable(a, b.id(), Lane::Control),
        unavailable(b, a.id(), Lane::Control),
        nothing_for(b)
    );
    linked(b, c.id(), true).await;
    linked(a, c.id(), true).await;
    allow(b, &[a, c]);
    linked(a, b.id(), true).await;
    linked(b, a.id(), true).await;
    let (near, far) = stream(a, b, Lane::Control).await;
    echo(near, far, 100).await;
}

/// A guest reaches one lane, and nothing reaches it.
async fn guests(nodes: &[Node]) {
    let [host, guest] = nodes else { panic!("two nodes") };
    allow(guest, &[host]);
    host.allow(Allowed { guests: vec![guest.id()], ..Allowed::default() });
    let (near, far) = stream(guest, host, Lane::Join).await;
    echo(near, far, 10_000).await;
    for lane in [Lane::Control, Lane::Logs, Lane::Files, Lane::Agent] {
        // Refused, or accepted by nobody.
        let mut tried = guest.open(host.id(), lane).await;
        if let Ok(stream) = &mut tried {
            ended(stream).await;
        }
    }
    guest.send(host.id(), b"x".to_vec());
    nothing_for(host).await;
    assert!(host.links().borrow().is_empty(), "a guest is no link");
    unavailable(host, guest.id(), Lane::Join).await;
    host.send(guest.id(), b"x".to_vec());
    nothing_for(guest).await;
    // The invitation ends.
    let (_near, mut far) = stream(guest, host, Lane::Join).await;
    host.allow(Allowed::default());
    ended(&mut far).await;
    assert!(guest.open(host.id(), Lane::Join).await.is_err());
    // It is enrolled: now all is open.
    join(nodes).await;
    let (near, far) = stream(host, guest, Lane::Control).await;
    echo(near, far, 100).await;
}
