//! Lines, events and packs: whole, in order, no faster than they are read, and never ended in silence.

use crate::fake_peer::{lines, offer};
use crate::verbs::attempt;
use crate::{Pair, near};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use ikigai_ports::PortError;
use ikigai_ports::objects::Pack;
use ikigai_types::{Commit, ProjectId};
use ikigai_wire::api::{Code, LogEntry};
use std::sync::atomic::Ordering;
use std::time::Duration;

async fn pack(pair: &Pair) -> Pack {
    let project = ProjectId::new("1f0c2a77").unwrap();
    pair.far().pack(near(), project, Commit("b".repeat(40)), Vec::new()).await.unwrap()
}

#[tokio::test]
async fn lines_come_as_they_are_printed_until_the_attempt_ends() {
    let pair = Pair::new();
    let at = attempt("T003");
    let mut stream = pair.handle().logs(&at, 4, true).await.unwrap();
    pair.node.print(&at, "at once");
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!((first.n, first.text.as_str()), (4, "at once"));
    let wanted: Vec<_> = (5..3005).map(|n| format!("{n} {}", "ü".repeat(n % 500))).collect();
    for text in &wanted {
        pair.node.print(&at, text);
    }
    pair.node.end(&at, 0);
    let lines: Vec<LogEntry> = stream.map(|line| line.unwrap()).collect().await;
    assert_eq!(lines.iter().map(|l| l.n).collect::<Vec<_>>(), (5..3005).collect::<Vec<_>>());
    assert_eq!(lines.into_iter().map(|l| l.text).collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn events_go_on_as_they_happen() {
    let pair = Pair::new();
    let mut events = pair.handle().events(Some("1.7".into())).await.unwrap();
    for n in 0..200 {
        pair.node.turn("T003", &format!("s{n}"), "turns");
        assert_eq!(events.next().await.unwrap().unwrap().state, format!("s{n}"));
    }
    pair.node.restart_log();
    assert_eq!(pair.handle().events(Some("1.7".into())).await.err().unwrap().code, Code::Conflict);
}

/// An end without a word would be taken for the end of the attempt.
#[tokio::test]
async fn a_stream_that_breaks_says_so() {
    let pair = Pair::new();
    let at = attempt("T003");
    let mut stream = pair.handle().logs(&at, 4, true).await.unwrap();
    pair.node.print(&at, "one");
    stream.next().await.unwrap().unwrap();
    pair.switch.cut();
    assert_eq!(stream.next().await.unwrap().unwrap_err().code, Code::Unreachable);
    assert!(stream.next().await.is_none());
    pair.switch.mend();

    let mut stream = pair.handle().logs(&at, 4, true).await.unwrap();
    stream.next().await.unwrap().unwrap();
    pair.stop.cancel();
    assert_eq!(stream.next().await.unwrap().unwrap_err().code, Code::Unreachable);
    assert!(stream.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_link_is_silent_says_so_after_six_seconds() {
    let pair = Pair::new();
    let mut stream = pair.handle().logs(&attempt("T003"), 4, true).await.unwrap();
    tokio::time::timeout(Duration::from_secs(600), stream.next()).await.unwrap_err();
    pair.switch.freeze();
    let end = tokio::time::timeout(Duration::from_millis(6100), stream.next()).await;
    assert_eq!(end.unwrap().unwrap().unwrap_err().code, Code::Unreachable);
}

#[tokio::test]
async fn readers_that_stall_hold_up_nobody() {
    let pair = Pair::new();
    let at = attempt("T003");
    let text = "x".repeat(10_000);
    for _ in 0..200 {
        pair.node.print(&at, &text);
    }
    let node = pair.handle();
    let stalled = join_all((0..100).map(|_| node.logs(&at, 1, true))).await;
    let mut stalled: Vec<_> = stalled.into_iter().map(|s| s.unwrap()).collect();
    // Once as much as fits is on its way, nothing moves for them.
    let quick = Duration::from_secs(5);
    let peer = pair.far();
    for _ in 0..20 {
        tokio::time::timeout(quick, peer.offer(near(), offer())).await.unwrap().unwrap();
        tokio::time::timeout(quick, peer.append(near(), lines(std::slice::from_ref(&text))))
            .await
            .unwrap()
            .unwrap();
        tokio::time::timeout(quick, pair.handle().task("T003")).await.unwrap().unwrap();
    }
    // Two megabytes were there for each; what went is what their windows let through.
    assert!(pair.switch.bytes() < 100 * (200 << 10), "{} bytes", pair.switch.bytes());
    pair.node.end(&at, 0);
    let whole: Vec<_> = stalled.swap_remove(50).map(|l| l.unwrap().n).collect().await;
    assert_eq!(whole, (1..204).collect::<Vec<_>>());
}

#[tokio::test]
async fn followed_streams_are_bounded_and_leave_room() {
    let pair = Pair::new();
    let (node, at) = (pair.handle(), attempt("T003"));
    for _ in 0..2 {
        let mut open = Vec::new();
        // The room of streams that were dropped is free again shortly after.
        while open.len() < 192 {
            match node.logs(&at, 1, true).await {
                Ok(stream) => open.push(stream),
                Err(problem) => assert_eq!(problem.code, Code::Unreachable),
            }
        }
        let problem = node.events(None).await.err().unwrap();
        assert!(problem.message.contains("room for more followed streams"), "{problem:?}");
        pair.far().append(near(), lines(&["still".to_owned()])).await.unwrap();
    }
}

#[tokio::test]
async fn a_pack_comes_whole_in_small_pieces() {
    let pair = Pair::new();
    let bytes: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    let cuts = bytes.chunks(777_777).map(|c| Ok(Bytes::copy_from_slice(c)));
    pair.peer.pack.lock().unwrap().extend(cuts);
    let pieces: Vec<_> = pack(&pair).await.map(|p| p.unwrap()).collect().await;
    assert!(pieces.iter().all(|p| p.len() <= 64 << 10));
    assert!(pieces.concat() == bytes);
}

#[tokio::test]
async fn a_pack_that_goes_wrong_says_how() {
    let pair = Pair::new();
    let pieces = [Ok(Bytes::from_static(b"PACK")), Err(PortError::Corrupt("the copy".into()))];
    pair.peer.pack.lock().unwrap().extend(pieces);
    let mut pieces = pack(&pair).await;
    assert_eq!(pieces.next().await.unwrap().unwrap(), "PACK");
    let error = pieces.next().await.unwrap().unwrap_err();
    assert!(matches!(&error, PortError::Corrupt(what) if what == "the copy"), "{error:?}");
    assert!(pieces.next().await.is_none());

    pair.peer.failures.lock().unwrap().push_back(PortError::NotFound("commit b".into()));
    let project = ProjectId::new("1f0c2a77").unwrap();
    let error = pair.far().pack(near(), project, Commit("b".repeat(40)), Vec::new()).await.err().unwrap();
    assert!(matches!(error, PortError::NotFound(_)), "{error:?}");
}

#[tokio::test]
async fn a_pack_is_drawn_no_faster_than_it_is_read() {
    let pair = Pair::new();
    let piece = Bytes::from(vec![7; 64 << 10]);
    pair.peer.pack.lock().unwrap().extend((0..1000).map(|_| Ok(piece.clone())));
    let mut pieces = pack(&pair).await;
    pieces.next().await.unwrap().unwrap();
    for _ in 0..20 {
        // Other calls go on meanwhile, so it had its time.
        pair.far().offer(near(), offer()).await.unwrap();
    }
    let drawn = pair.peer.drawn.load(Ordering::SeqCst);
    assert!((1..40).contains(&drawn), "{drawn} of 1000 pieces were drawn for one that was read");
    // Cut in the middle, it does not look whole.
    pair.switch.cut();
    let rest: Vec<_> = pieces.collect().await;
    assert!(rest.len() < 60);
    assert!(matches!(rest.last(), Some(Err(PortError::Unavailable { .. }))), "{:?}", rest.last());
}

#[tokio::test(start_paused = true)]
async fn a_pack_that_nobody_reads_is_given_up() {
    let pair = Pair::new();
    let piece = Bytes::from(vec![7; 64 << 10]);
    pair.peer.pack.lock().unwrap().extend((0..1000).map(|_| Ok(piece.clone())));
    let mut pieces = pack(&pair).await;
    tokio::time::sleep(Duration::from_secs(70)).await;
    let mut end = None;
    while let Some(piece) = pieces.next().await {
        end = Some(piece);
    }
    assert!(matches!(end, Some(Err(PortError::Unavailable { .. }))), "{end:?}");
    assert!(pair.peer.drawn.load(Ordering::SeqCst) < 40);
}
