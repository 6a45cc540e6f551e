//! What is too large, too much or makes no sense is refused, and costs nobody else anything.

use crate::fake_peer::{HELD, check, lines, offer};
use crate::{Pair, far, near, raw};
use bytes::Bytes;
use futures::future::join_all;
use ikigai_peers::GrpcPeers;
use ikigai_ports::mesh::Lane;
use ikigai_ports::peer::Appended;
use ikigai_ports::rpc::Verb;
use ikigai_ports::{Peers, PortError};
use ikigai_types::NodeId;
use ikigai_wire::peer::Offer;
use ikigai_wire::rpc::encode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

/// A third node.
fn third() -> NodeId {
    NodeId::from_bytes([3; 32])
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let pair = Pair::new();
    let mut heavy = offer();
    heavy.workload.payload = "x".repeat(5 << 20);
    let error = pair.far().offer(near(), heavy.clone()).await.unwrap_err();
    assert!(matches!(error, PortError::Refused(_)), "{error:?}");
    // Also of a caller that sends it all the same.
    let mut caller = raw::connect(&pair.switch, near(), far(), Lane::Control).await;
    assert_eq!(raw::ask(&mut caller, Verb::Offer.path(), &encode(&heavy)).await, "11");
    assert_eq!(pair.peer.asked.lock().unwrap().len(), 0);

    let line = "x".repeat(1 << 20);
    let as_heavy_as_may_be = lines(&vec![line.clone(); 8]);
    assert_eq!(pair.far().append(near(), as_heavy_as_may_be).await.unwrap(), Appended::Upto(8));
    let error = pair.far().append(near(), lines(&vec![line; 13])).await.unwrap_err();
    assert!(matches!(error, PortError::Refused(_)), "{error:?}");

    pair.peer.wordy.store(2 << 20, Ordering::SeqCst);
    let error = pair.far().offer(near(), Offer { lease_ms: 0, ..offer() }).await.unwrap_err();
    assert!(matches!(error, PortError::Refused(_)), "{error:?}");
    pair.peer.wordy.store(0, Ordering::SeqCst);
    pair.far().offer(near(), offer()).await.unwrap();
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let pair = Pair::new();
    let mut caller = raw::connect(&pair.switch, near(), far(), Lane::Control).await;
    let (unimplemented, refused, usage) = ("12", "9", "3");
    for path in ["/", "/ikigai.v1.Peer/Nothing", "/ikigai.v2.Peer/Offer", "*"] {
        let path = if path == "*" { "/*" } else { path };
        assert_eq!(raw::ask(&mut caller, path, &[]).await, unimplemented, "{path}");
    }
    // A lane carries its own verbs only.
    for verb in [Verb::Append, Verb::Logs, Verb::Events, Verb::Pack] {
        assert_eq!(raw::ask(&mut caller, verb.path(), &[]).await, unimplemented, "{verb:?}");
    }
    let deep = [vec![0x91; 100_000], vec![0xc0]].concat();
    let huge_claim = [0xdd, 0xff, 0xff, 0xff, 0xff];
    let twice = [encode(&offer()), encode(&offer())].concat();
    for message in [&b""[..], b"\xc1", b"{}", &deep, &huge_claim, &encode(&7), &twice] {
        assert_eq!(raw::ask(&mut caller, Verb::Offer.path(), message).await, refused);
        assert_eq!(raw::ask(&mut caller, Verb::Snapshot.path(), &[0xc1]).await, usage);
    }
    assert_eq!(pair.peer.asked.lock().unwrap().len(), 0);
    assert_eq!(raw::ask(&mut caller, Verb::Offer.path(), &encode(&offer())).await, "0");
}

#[tokio::test]
async fn a_stream_that_is_no_http_ends() {
    let pair = Pair::new();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 4096], &[0xff; 4096]] {
        let mut stream = pair.switch.connect(near(), far(), Lane::Control).await.unwrap();
        // The other end may hang up before it has read all.
        let _ = stream.write_all(garbage).await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.len() < 200);
    }
    pair.far().offer(near(), offer()).await.unwrap();
}

#[tokio::test]
async fn checks_that_last_leave_room_for_calls() {
    let pair = Pair::new();
    let running: Vec<_> = (0..16)
        .map(|_| {
            let peer = pair.far();
            tokio::spawn(async move { peer.check(near(), check(HELD)).await })
        })
        .collect();
    pair.peer.until(|p| p.held.load(Ordering::SeqCst) == 16).await;
    let error = pair.far().check(near(), check(HELD)).await.unwrap_err();
    let PortError::Unavailable { retry_after, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(10)));
    // Others have room of their own.
    let other = GrpcPeers::new(Arc::new(pair.switch.mesh(third())));
    other.peer(far()).check(third(), check(Duration::from_secs(1))).await.unwrap();
    for answer in join_all((0..100).map(|_| async { pair.far().offer(near(), offer()).await })).await {
        answer.unwrap();
    }
    pair.peer.released.notify_waiters();
    for check in running {
        check.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_newest_connections_of_a_peer_are_kept() {
    let pair = Pair::new();
    let mut first = pair.switch.connect(near(), far(), Lane::Control).await.unwrap();
    let mut callers = Vec::new();
    for _ in 0..4 {
        callers.push(raw::connect(&pair.switch, near(), far(), Lane::Control).await);
    }
    // It ends although its other end says nothing.
    first.read_to_end(&mut Vec::new()).await.unwrap();
    for caller in &mut callers {
        assert_eq!(raw::ask(caller, Verb::Offer.path(), &encode(&offer())).await, "0");
    }
}

/// Requests that never end are read a few at a time, hold their connection for the usual time, and nobody else.
#[tokio::test(start_paused = true)]
async fn requests_that_never_end_hold_nobody_else() {
    let pair = Pair::new();
    let mut caller = raw::connect(&pair.switch, near(), far(), Lane::Control).await;
    let mut parts = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..50 {
        let (request, part) = raw::request(Verb::Offer.path(), Some("24H"));
        let claimed = Bytes::from(vec![0, 0, 0x20, 0, 0]);
        part.send(claimed).await.unwrap();
        part.send(Bytes::from(vec![0; 64 << 10])).await.unwrap();
        parts.push(part);
        answers.push(tokio::spawn(caller.send_request(request)));
    }
    let other = GrpcPeers::new(Arc::new(pair.switch.mesh(third())));
    let begin = Instant::now();
    other.peer(far()).offer(third(), offer()).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1));
    for answer in answers {
        assert_eq!(raw::status(answer.await.unwrap().unwrap()).await, "4");
    }
    assert!(begin.elapsed() < Duration::from_secs(11), "{:?}", begin.elapsed());
    assert_eq!(raw::ask(&mut caller, Verb::Offer.path(), &encode(&offer())).await, "0");
}
