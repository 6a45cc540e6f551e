//! Links that break, with and without anybody being told, and come back.

use crate::proxy::Proxy;
use crate::{QUIC, SOON, TCP, allow, allow_at, answer, call, call_until, linked, start};
use ikigai_ports::mesh::{Lane, Mesh};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// What is promised when a link returns.
const BACK: Duration = Duration::from_secs(2);

/// Node `a` reaches `b` through a proxy; `b` cannot dial.
async fn frozen_link(listen: &str, seeds: (u8, u8), cut: Duration, busy: bool) {
    let (a, b) = (Arc::new(start(seeds.0, &[]).await), Arc::new(start(seeds.1, &[listen]).await));
    answer(Arc::clone(&a));
    answer(Arc::clone(&b));
    let proxy = Proxy::before(&b.addresses()[0]).await;
    allow_at(&a, b.id(), std::slice::from_ref(&proxy.address));
    allow_at(&b, a.id(), &[]);
    linked(&a, b.id(), true).await;
    call(&a, b.id()).await.unwrap();
    // Bytes under way, so that sockets are full when the link is cut.
    let mut bulk = Vec::new();
    for lane in [Lane::Files, Lane::Logs].into_iter().filter(|_| busy) {
        let mut near = a.open(b.id(), lane).await.unwrap();
        let (_, far) = b.accept(lane).await.unwrap();
        bulk.push(tokio::spawn(async move {
            let _far = far;
            while near.write_all(&[1; 65_536]).await.is_ok() {}
        }));
    }
    let start = Instant::now();
    proxy.freeze(true);
    linked(&a, b.id(), false).await;
    let noticed = start.elapsed();
    linked(&b, a.id(), false).await;
    println!("{listen}: cut noticed after {noticed:?} and {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(7), "noticed after {:?}", start.elapsed());
    for task in bulk {
        timeout(SOON, task).await.expect("streams of a cut link break").unwrap();
    }
    // A call in between fails in time.
    let began = Instant::now();
    assert!(call(&a, b.id()).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    tokio::time::sleep(cut.saturating_sub(start.elapsed())).await;
    proxy.freeze(false);
    let back = Instant::now();
    let (out, inward) = tokio::join!(async { (call_until(&a, b.id()).await, back.elapsed()).1 }, async {
        (call_until(&b, a.id()).await, back.elapsed()).1
    },);
    println!("{listen}: calls work {out:?} (out) and {inward:?} (in) after the link returned");
    assert!(out < BACK && inward < BACK, "{out:?} {inward:?}");
}

/// At once, as each mostly waits; the cuts have different lengths so that dials meet the link's return at any moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_link_is_noticed_and_returns() {
    tokio::join!(
        frozen_link(TCP, (10, 11), Duration::from_millis(10_000), false),
        frozen_link(TCP, (12, 13), Duration::from_millis(11_300), true),
        frozen_link(QUIC, (14, 15), Duration::from_millis(12_600), false),
        frozen_link(QUIC, (16, 17), Duration::from_millis(13_900), true),
    );
}

/// A pause that is shorter than a cut breaks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_pause_breaks_no_stream() {
    let (a, b) = (start(18, &[]).await, start(19, &[TCP]).await);
    let proxy = Proxy::before(&b.addresses()[0]).await;
    allow_at(&a, b.id(), std::slice::from_ref(&proxy.address));
    allow_at(&b, a.id(), &[]);
    let mut near = a.open(b.id(), Lane::Control).await.unwrap();
    let (_, mut far) = b.accept(Lane::Control).await.unwrap();
    proxy.freeze(true);
    near.write_all(b"late").await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    proxy.freeze(false);
    let mut got = [0; 4];
    timeout(SOON, tokio::io::AsyncReadExt::read_exact(&mut far, &mut got)).await.unwrap().unwrap();
    assert_eq!(&got, b"late");
}

async fn restart(listen: &str, seeds: (u8, u8), mutual: bool) {
    let a = Arc::new(start(seeds.0, &[listen]).await);
    let b = start(seeds.1, &[listen]).await;
    answer(Arc::clone(&a));
    let at = b.addresses();
    allow(&a, &[&b]);
    if mutual {
        allow(&b, &[&a]);
    } else {
        allow_at(&b, a.id(), &[]);
    }
    linked(&a, b.id(), true).await;
    linked(&b, a.id(), true).await;
    let (id, stopping) = (b.id(), Instant::now());
    b.stop().await;
    drop(b);
    linked(&a, id, false).await;
    println!("{listen}: the end of a peer is seen after {:?}", stopping.elapsed());
    assert!(stopping.elapsed() < BACK);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let back = Instant::now();
    let at: Vec<&str> = at.iter().map(String::as_str).collect();
    let b = Arc::new(start(seeds.1, &at).await);
    answer(Arc::clone(&b));
    if mutual {
        allow(&b, &[&a]);
    } else {
        allow_at(&b, a.id(), &[]);
    }
    linked(&a, id, true).await;
    linked(&b, a.id(), true).await;
    println!("{listen}: linked {:?} after a restart (both dial: {mutual})", back.elapsed());
    assert!(back.elapsed() < BACK, "{:?}", back.elapsed());
    call(&a, id).await.unwrap();
    call(&b, a.id()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_restarts_is_back() {
    tokio::join!(
        restart(TCP, (20, 21), true),
        restart(TCP, (22, 23), false),
        restart(QUIC, (24, 25), true),
        restart(QUIC, (26, 27), false),
    );
}

/// A machine that lost power says no goodbye; its successor dials, and is what calls go to.
#[tokio::test(flavor = "multi_thread")]
async fn a_successor_replaces_who_vanished() {
    let a = Arc::new(start(28, &[TCP]).await);
    let old = start(29, &[]).await;
    answer(Arc::clone(&a));
    let id = old.id();
    let proxy = Proxy::before(&a.addresses()[0]).await;
    allow_at(&a, id, &[]);
    allow_at(&old, a.id(), std::slice::from_ref(&proxy.address));
    linked(&a, id, true).await;
    proxy.freeze(true);
    let new = Arc::new(start(29, &[]).await);
    answer(Arc::clone(&new));
    allow(&new, &[&a]);
    let back = Instant::now();
    linked(&new, a.id(), true).await;
    call(&new, a.id()).await.unwrap();
    call_until(&a, id).await;
    println!("calls reach the successor {:?} after its start", back.elapsed());
    assert!(back.elapsed() < BACK, "{:?}", back.elapsed());
}

/// Where a peer was, somebody else answers; that spoils no other way to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_is_passed_over() {
    let (a, b, other) = (start(30, &[]).await, start(31, &[TCP]).await, start(32, &[TCP]).await);
    allow(&other, &[&a]);
    allow_at(&b, a.id(), &[]);
    let at = [other.addresses(), b.addresses()].concat();
    allow_at(&a, b.id(), &at);
    linked(&a, b.id(), true).await;
    assert!(other.links().borrow().is_empty());
}

/// Both dial at once, again and again: each time there is a link that works, both ways.
#[tokio::test(flavor = "multi_thread")]
async fn both_may_dial_at_once() {
    for round in 0..20_u8 {
        let listen = [TCP, QUIC];
        let (a, b) = tokio::join!(start(100 + round, &listen), start(130 + round, &listen));
        let (a, b) = (Arc::new(a), Arc::new(b));
        answer(Arc::clone(&a));
        answer(Arc::clone(&b));
        let began = Instant::now();
        allow(&a, &[&b]);
        allow(&b, &[&a]);
        let (out, inward) = tokio::join!(call(&a, b.id()), call(&b, a.id()));
        out.unwrap();
        inward.unwrap();
        println!("round {round}: calls work after {:?}", began.elapsed());
        linked(&a, b.id(), true).await;
        linked(&b, a.id(), true).await;
    }
}
