//! An agent that takes more than its share hurts itself and nobody else.

use crate::support::{Reply, Rig, SOON, Upstream, ask, completed};
use http_body_util::BodyExt;
use ikigai_gateway::GateLimits;
use ikigai_ports::gate::GateEvent;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const HEAD: &str = "POST /v1/responses HTTP/1.1\r\nHost: x\r\n";

async fn rig(limits: GateLimits) -> (Upstream, Rig) {
    let upstream = Upstream::start(|_| Reply::events(completed(1, 0, 1))).await;
    let rig = Rig::with(upstream.model(), limits, 64).await;
    (upstream, rig)
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_read() {
    let (upstream, rig) = rig(GateLimits::default()).await;
    let answer = rig.raw(&format!("{HEAD}Content-Length: {}\r\n\r\n{{", (32 << 20) + 1)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = rig.raw(&format!("{HEAD}Content-Length: {}\r\n\r\n{{", 1u64 << 62)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_body_without_a_length_is_read_up_to_the_limit() {
    let (upstream, rig) = rig(GateLimits { body: 64 << 10, ..GateLimits::default() }).await;
    let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    let too_long = format!("{chunked}{:x}\r\n{}\r\n0\r\n\r\n", 65 << 10, " ".repeat(65 << 10));
    assert!(rig.raw(&too_long).await.starts_with("HTTP/1.1 413"));
    assert!(upstream.seen().is_empty());
    let body = ask().to_string();
    let good = format!("{chunked}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    assert!(rig.raw(&good).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_compressed_body_is_refused() {
    let (upstream, rig) = rig(GateLimits::default()).await;
    let answer = rig
        .raw(&format!("{HEAD}Content-Encoding: zstd\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn ten_thousand_headers_are_refused_and_the_gate_goes_on() {
    let (_upstream, mut rig) = rig(GateLimits::default()).await;
    let headers: String = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let answer = rig.raw(&format!("{HEAD}{headers}\r\n")).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(matches!(rig.event().await, GateEvent::Denied { .. }));
    let few_and_long = format!("{HEAD}x: {}\r\n\r\n", "y".repeat(1 << 20));
    let answer = rig.raw(&few_and_long).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(rig.call(&ask()).await.status(), 200);
}

#[tokio::test]
async fn who_is_slow_is_cut_off() {
    let short = Duration::from_millis(100);
    let (_upstream, rig) =
        rig(GateLimits { head_time: short, body_time: short, ..GateLimits::default() }).await;
    let mut half_a_head = rig.connect().await;
    half_a_head.write_all(b"POST /v1/resp").await.unwrap();
    let mut rest = Vec::new();
    timeout(SOON, half_a_head.read_to_end(&mut rest)).await.unwrap().unwrap();
    let mut half_a_body = rig.connect().await;
    half_a_body
        .write_all(format!("{HEAD}Content-Length: 100\r\nConnection: close\r\n\r\n{{").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    timeout(SOON, half_a_body.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn more_connections_wait_and_are_served() {
    let limits =
        GateLimits { connections: 2, head_time: Duration::from_millis(200), ..GateLimits::default() };
    let (_upstream, rig) = rig(limits).await;
    let _idle = [rig.connect().await, rig.connect().await, rig.connect().await];
    assert_eq!(rig.call(&ask()).await.status(), 200);
}

#[tokio::test]
async fn a_client_that_stops_reading_is_given_up_and_counted() {
    let many: String = (0..200).map(|n| format!("event: x\ndata: {n}{}\n\n", "z".repeat(64 << 10))).collect();
    let upstream = Upstream::start(move |_| Reply::events(format!("{many}{}", completed(3, 0, 4)))).await;
    let limits = GateLimits { stall_time: Duration::from_millis(100), ..GateLimits::default() };
    let mut rig = Rig::with(upstream.model(), limits, 64).await;
    let response = rig.call(&ask()).await;
    let GateEvent::Used { total } = rig.event().await else { panic!("not counted") };
    assert_eq!((total.input_tokens, total.output_tokens), (3, 4));
    let late = timeout(SOON, response.into_body().collect()).await.unwrap();
    assert!(late.is_err(), "what was dropped for a slow reader never looks whole");
}
