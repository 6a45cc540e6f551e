//! Links that break, freeze and come back; calls that take too long or are given up.

use crate::fake_peer::{HELD, check, offer};
use crate::mesh::Switch;
use crate::{Pair, far, near, raw, serve};
use futures::future::join_all;
use ikigai_peers::GrpcPeers;
use ikigai_ports::mesh::Lane;
use ikigai_ports::{Mesh, Peers, PortError};
use ikigai_wire::api::{Code, Filter};
use ikigai_wire::rpc::encode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

fn is_away(error: &PortError) -> bool {
    matches!(error, PortError::Unavailable { .. })
}

#[tokio::test]
async fn two_hundred_calls_at_once_share_one_stream() {
    let pair = Pair::new();
    let peer = pair.far();
    for answer in join_all((0..200).map(|_| peer.offer(near(), offer()))).await {
        answer.unwrap();
    }
    assert_eq!(pair.peer.asked.lock().unwrap().len(), 200);
    assert_eq!(pair.switch.opened(), 1);
}

/// The time of a call over a stream in memory, for whoever looks.
#[tokio::test]
async fn a_call_takes_little_more_than_its_answer() {
    let pair = Pair::new();
    let peer = pair.far();
    let mut times = Vec::new();
    for _ in 0..500 {
        let begin = Instant::now();
        peer.offer(near(), offer()).await.unwrap();
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    println!("500 offers: median {:?}, 99 % within {:?}", times[250], times[495]);
    assert!(times[250] < Duration::from_millis(50));
}

/// However many wait, one attempt is made, and its failure is that of all.
#[tokio::test(start_paused = true)]
async fn a_hundred_calls_to_a_node_that_is_away_fail_together() {
    let pair = Pair::new();
    pair.switch.freeze();
    let (peer, begin) = (pair.far(), Instant::now());
    let answers = join_all((0..100).map(|_| peer.offer(near(), offer()))).await;
    assert!(answers.iter().all(|a| a.as_ref().is_err_and(is_away)), "{answers:?}");
    assert!(begin.elapsed() <= Duration::from_secs(4), "{:?}", begin.elapsed());
    assert_eq!(pair.switch.tried(), 1);
    let problem = pair.handle().snapshot(Filter::default()).await.unwrap_err();
    assert_eq!(problem.code, Code::Unreachable);
    assert!(problem.message.contains("node 02020202 cannot be reached"), "{}", problem.message);
    pair.switch.mend();
    peer.offer(near(), offer()).await.unwrap();
}

#[tokio::test]
async fn after_a_break_the_next_call_works() {
    let pair = Pair::new();
    for breaks in 1..20 {
        pair.far().offer(near(), offer()).await.unwrap();
        assert_eq!(pair.switch.opened(), breaks);
        pair.switch.cut();
        // In flight, or noticed only now: both are the same to the caller.
        let error = pair.far().offer(near(), offer()).await.unwrap_err();
        assert!(is_away(&error), "{error:?}");
        pair.switch.mend();
    }
    pair.far().offer(near(), offer()).await.unwrap();
}

#[tokio::test]
async fn a_call_on_a_link_that_breaks_fails_at_once_on_both_sides() {
    let pair = Pair::new();
    let peer = pair.far();
    let call = tokio::spawn(async move { peer.check(near(), check(HELD)).await });
    pair.peer.until(|p| p.held.load(Ordering::SeqCst) == 1).await;
    pair.switch.cut();
    assert!(is_away(&call.await.unwrap().unwrap_err()));
    pair.peer.until(|p| p.dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_silent_under_a_call_is_given_up_after_six_seconds() {
    let pair = Pair::new();
    let peer = pair.far();
    let call = tokio::spawn(async move { peer.check(near(), check(HELD)).await });
    pair.peer.until(|p| p.held.load(Ordering::SeqCst) == 1).await;
    // A call that lasts is no silence: pings come back.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!call.is_finished());
    pair.switch.freeze();
    let begin = Instant::now();
    assert!(is_away(&call.await.unwrap().unwrap_err()));
    assert!(begin.elapsed() <= Duration::from_millis(6100), "{:?}", begin.elapsed());
    pair.switch.mend();
    pair.far().offer(near(), offer()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_while_nothing_is_asked() {
    let pair = Pair::new();
    pair.far().offer(near(), offer()).await.unwrap();
    pair.handle().snapshot(Filter::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = pair.switch.bytes();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(pair.switch.bytes(), before);
    pair.far().offer(near(), offer()).await.unwrap();
    assert_eq!(pair.switch.opened(), 1, "the connection was kept");
}

#[tokio::test]
async fn a_node_that_stops_and_comes_back_is_asked_again() {
    let mut pair = Pair::new();
    for _ in 0..3 {
        pair.far().offer(near(), offer()).await.unwrap();
        pair.stop.cancel();
        (&mut pair.server).await.unwrap();
        assert!(is_away(&pair.far().offer(near(), offer()).await.unwrap_err()));
        pair.stop = CancellationToken::new();
        pair.server = serve(pair.switch.mesh(far()), &pair.peer, &pair.node, &pair.stop);
    }
    pair.far().offer(near(), offer()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_stops_within_its_grace_whatever_runs() {
    let mut pair = Pair::new();
    let peer = pair.far();
    let call = tokio::spawn(async move { peer.check(near(), check(HELD)).await });
    pair.peer.until(|p| p.held.load(Ordering::SeqCst) == 1).await;
    let begin = Instant::now();
    pair.stop.cancel();
    (&mut pair.server).await.unwrap();
    assert!(begin.elapsed() <= Duration::from_millis(2100), "{:?}", begin.elapsed());
    assert!(is_away(&call.await.unwrap().unwrap_err()));
    assert_eq!(pair.peer.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_ends_with_its_mesh() {
    let switch = Switch::default();
    let mesh = Arc::new(switch.mesh(far()));
    let node = ikigai_ports::testsuite::fake_node::FakeNode::empty(ikigai_types::Timestamp(0));
    let peer = Arc::<crate::fake_peer::FakePeer>::default();
    let server = ikigai_grpc::serve(mesh.clone(), peer, Arc::new(node), CancellationToken::new());
    let server = tokio::spawn(server);
    // Another end takes its place, as when a node starts anew.
    let _other = switch.mesh(mesh.id());
    server.await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_ends_at_the_other_node() {
    let pair = Pair::new();
    let peer = pair.far();
    let call = tokio::spawn(async move { peer.check(near(), check(HELD)).await });
    pair.peer.until(|p| p.held.load(Ordering::SeqCst) == 1).await;
    call.abort();
    pair.peer.until(|p| p.dropped.load(Ordering::SeqCst) == 1).await;
    pair.far().offer(near(), offer()).await.unwrap();
    assert_eq!(pair.switch.opened(), 1);
}

#[tokio::test(start_paused = true)]
async fn giving_up_while_a_link_is_opened_takes_nothing_from_others() {
    let pair = Pair::new();
    pair.switch.freeze();
    let (one, other) = (pair.far(), pair.far());
    let one = tokio::spawn(async move { one.offer(near(), offer()).await });
    let other = tokio::spawn(async move { other.offer(near(), offer()).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    one.abort();
    pair.switch.mend();
    other.await.unwrap().unwrap();
    assert_eq!(pair.switch.tried(), 1);
}

/// Both ends keep the time: whoever asks gives up, and whoever is asked does not go on for it.
#[tokio::test(start_paused = true)]
async fn a_call_has_its_time_and_no_more() {
    let pair = Pair::new();
    let begin = Instant::now();
    let error = pair.far().check(near(), check(HELD)).await.unwrap_err();
    assert!(error.chain().contains("did not answer Check within 137 s"), "{}", error.chain());
    assert_eq!(begin.elapsed().as_secs(), (HELD + Duration::from_secs(60)).as_secs());
    pair.peer.until(|p| p.dropped.load(Ordering::SeqCst) == 1).await;

    let mut caller = raw::connect(&pair.switch, near(), far(), Lane::Control).await;
    for (timeout, seconds) in [(Some("3S"), 3), (None, 10), (Some("nonsense"), 10)] {
        let begin = Instant::now();
        let (request, parts) = raw::request("/ikigai.v1.Peer/Check", timeout);
        parts.send(raw::framed(&encode(&check(HELD)))).await.unwrap();
        drop(parts);
        let status = raw::status(caller.send_request(request).await.unwrap()).await;
        assert_eq!((status.as_str(), begin.elapsed().as_secs()), ("4", seconds));
    }
}

/// Peers are asked each over their own links.
#[tokio::test]
async fn a_node_that_is_unknown_stands_in_nobody_s_way() {
    let pair = Pair::new();
    let peers: &GrpcPeers = &pair.peers;
    let nobody = ikigai_types::NodeId::from_bytes([9; 32]);
    assert!(is_away(&peers.peer(nobody).offer(near(), offer()).await.unwrap_err()));
    pair.far().offer(near(), offer()).await.unwrap();
}
