//! Model calls: streamed as they come, counted by the provider's figures.

use crate::support::{Reply, Rig, SOON, Upstream, ask, completed, text};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::BodyExt;
use ikigai_gateway::GateLimits;
use ikigai_models::{HttpModel, HttpModelOptions};
use ikigai_ports::gate::{GateEvent, Gates};
use ikigai_types::{MicroUsd, Usage};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

/// A provider whose one answer comes chunk by chunk, as the test says.
async fn slow_provider() -> (Upstream, mpsc::Sender<Bytes>) {
    let (chunks, stream) = mpsc::channel(4);
    let stream = Mutex::new(Some(stream));
    let upstream = Upstream::start(move |_| Reply {
        status: 200,
        headers: vec![("content-type", "text/event-stream; charset=utf-8".into())],
        chunks: ReceiverStream::new(stream.lock().unwrap().take().unwrap()).boxed(),
    })
    .await;
    (upstream, chunks)
}

#[tokio::test]
async fn a_chunk_arrives_before_the_next_one_is_made() {
    let (upstream, chunks) = slow_provider().await;
    let rig = Rig::new(upstream.model()).await;
    let calling = tokio::spawn(async move { (rig.call(&ask()).await, rig) });
    chunks.send("event: response.created\ndata: {}\n\n".into()).await.unwrap();
    let (response, rig) = calling.await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    for n in 0..5 {
        let chunk = timeout(SOON, body.frame()).await.unwrap().unwrap().unwrap().into_data().unwrap();
        assert!(chunk.starts_with(b"event: "), "{chunk:?}");
        chunks.send(format!("event: n{n}\ndata: {{}}\n\n").into()).await.unwrap();
    }
    chunks.send(completed(10, 0, 5).into()).await.unwrap();
    drop(chunks);
    assert!(body.collect().await.unwrap().to_bytes().ends_with(completed(10, 0, 5).as_bytes()));
    let total = rig.gateway.close(&rig.fence).await.unwrap();
    assert_eq!(total, Usage { calls: 1, input_tokens: 10, output_tokens: 5, cost: Some(MicroUsd(20)) });
}

#[tokio::test]
async fn the_sums_are_the_providers() {
    const CALLS: u64 = 40;
    let number = AtomicU64::new(0);
    let upstream = Upstream::start(move |seen| {
        let n = number.fetch_add(1, Ordering::Relaxed);
        let streamed = seen.body.windows(13).any(|part| part == br#""stream":true"#);
        if streamed {
            let text = completed(1000 + n, n, n);
            let chunks = text.as_bytes().chunks(7).map(Bytes::copy_from_slice).collect();
            Reply::of(200, "text/event-stream", chunks)
        } else {
            Reply::json(
                200,
                &json!({"model": "gpt-5.5", "usage": {"input_tokens": 1000 + n,
                "input_tokens_details": {"cached_tokens": n}, "output_tokens": n}}),
            )
        }
    })
    .await;
    let mut rig = Rig::new(upstream.model()).await;
    let calls = (0..CALLS).map(|n| {
        let body = json!({"model": "gpt-5.5", "stream": n % 2 == 0, "input": "x"});
        let rig = &rig;
        async move { text(rig.call(&body).await).await }
    });
    futures::future::join_all(calls).await;
    let sum: u64 = (0..CALLS).sum();
    // Each call reads 1000 fresh and n cached tokens and writes n; each sum is rounded up.
    let cost = (0..CALLS).map(|n| 1000 + n.div_ceil(10) + 2 * n).sum();
    let expect = Usage {
        calls: CALLS,
        input_tokens: 1000 * CALLS + sum,
        output_tokens: sum,
        cost: Some(MicroUsd(cost)),
    };
    while rig.event().await != (GateEvent::Used { total: expect }) {}
    assert_eq!(rig.gateway.close(&rig.fence).await.unwrap(), expect);
    assert_eq!(rig.gateway.close(&rig.fence).await.unwrap(), expect, "closing is idempotent");
}

#[tokio::test]
async fn hanging_up_early_does_not_avoid_being_counted() {
    let (upstream, chunks) = slow_provider().await;
    let mut rig = Rig::new(upstream.model()).await;
    chunks.send("event: response.created\ndata: {}\n\n".into()).await.unwrap();
    let response = rig.call(&ask()).await;
    drop(response);
    chunks.send("event: x\ndata: {}\n\n".into()).await.unwrap();
    chunks.send(completed(100, 0, 50).into()).await.unwrap();
    drop(chunks);
    let total = Usage { calls: 1, input_tokens: 100, output_tokens: 50, cost: Some(MicroUsd(200)) };
    assert_eq!(rig.event().await, GateEvent::Used { total });
}

#[tokio::test]
async fn what_the_provider_does_not_say_is_unknown_and_not_free() {
    let limits = GateLimits { settle_time: Duration::from_millis(50), ..GateLimits::default() };
    let (upstream, chunks) = slow_provider().await;
    let rig = Rig::with(upstream.model(), limits, 64).await;
    chunks.send(Bytes::from("event: response.created\ndata: {}\n\n")).await.unwrap();
    let _response = rig.call(&ask()).await;
    // The provider never ends its answer; closing does not wait for it.
    let total = timeout(SOON, rig.gateway.close(&rig.fence)).await.unwrap().unwrap();
    assert_eq!(total, Usage { calls: 1, ..Usage::default() });
    drop(chunks);
}

#[tokio::test]
async fn a_model_without_a_price_has_no_cost() {
    let answer = completed(1, 0, 1).replace("gpt-5.5", "gpt-9-2030-01-01");
    let upstream = Upstream::start(move |_| Reply::events(answer.clone())).await;
    let rig = Rig::new(upstream.model()).await;
    let ask = |model: &str| json!({"model": model, "input": "x"});
    text(rig.call(&ask("gpt-5.5")).await).await;
    assert_eq!(
        rig.gateway.close(&rig.fence).await.unwrap().cost,
        Some(MicroUsd(3)),
        "priced by what was asked"
    );
    let rig = Rig::new(upstream.model()).await;
    text(rig.call(&ask("gpt-9")).await).await;
    assert_eq!(rig.gateway.close(&rig.fence).await.unwrap().cost, None);
}

#[tokio::test]
async fn a_quota_is_told_and_passed_on() {
    let upstream = Upstream::start(|_| {
        let mut reply =
            Reply::json(429, &json!({"error": {"code": "insufficient_quota", "message": "no more"}}));
        reply.headers.push(("retry-after", "2".into()));
        reply.headers.push(("x-ratelimit-reset", "1".into()));
        reply
    })
    .await;
    let mut rig = Rig::new(upstream.model()).await;
    let response = rig.call(&ask()).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    let mut names: Vec<&str> = response.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "content-type", "date", "retry-after", "transfer-encoding"]);
    assert!(text(response).await.contains("no more"));
    let events = [rig.event().await, rig.event().await];
    assert!(events.contains(&GateEvent::Quota { retry_after: Some(2) }), "{events:?}");
    let total = Usage { calls: 1, cost: Some(MicroUsd(0)), ..Usage::default() };
    assert!(events.contains(&GateEvent::Used { total }), "{events:?}");
}

#[tokio::test]
async fn a_quota_in_the_middle_of_a_stream_is_told() {
    let failed = r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded"}}}"#;
    let upstream =
        Upstream::start(move |_| Reply::events(format!("event: response.failed\ndata: {failed}\n\n"))).await;
    let mut rig = Rig::new(upstream.model()).await;
    text(rig.call(&ask()).await).await;
    let events = [rig.event().await, rig.event().await];
    assert!(events.contains(&GateEvent::Quota { retry_after: None }), "{events:?}");
}

#[tokio::test]
async fn a_provider_that_is_away_or_refuses_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let away = HttpModel::new(HttpModelOptions::new("fake", format!("http://127.0.0.1:{port}/v1"))).unwrap();
    let mut rig = Rig::new(Arc::new(away)).await;
    let response = rig.call(&ask()).await;
    assert_eq!(response.status(), 502);
    let told = text(response).await;
    assert!(!told.contains("127.0.0.1"), "the agent learns nothing of the node's network: {told}");
    let GateEvent::Upstream { what } = rig.event().await else { panic!("no upstream event") };
    assert!(what.starts_with("model provider `fake` at 127.0.0.1 is unavailable: "), "{what}");

    for (status, shown, said) in
        [(401, 400, "refused the credential"), (403, 400, "refused"), (503, 503, "503")]
    {
        let upstream = Upstream::start(move |_| {
            Reply::json(status, &json!({"error": "Incorrect API key: sk-ca***123"}))
        })
        .await;
        let mut rig = Rig::new(upstream.model()).await;
        let response = rig.call(&ask()).await;
        assert_eq!(response.status().as_u16(), shown);
        assert_eq!(text(response).await.contains("sk-ca"), status == 503, "{status}");
        let events = [rig.event().await, rig.event().await];
        let told = events.iter().any(|e| matches!(e, GateEvent::Upstream { what } if what.contains(said)));
        assert!(told, "{status}: {events:?}");
    }
}

#[tokio::test]
async fn a_provider_that_breaks_off_breaks_the_answer_off() {
    let (upstream, chunks) = slow_provider().await;
    let options = HttpModelOptions {
        idle_timeout: Duration::from_millis(100),
        ..HttpModelOptions::new("fake", &upstream.url)
    };
    let mut rig = Rig::new(Arc::new(HttpModel::new(options).unwrap())).await;
    chunks.send(Bytes::from("event: response.created\ndata: {}\n\n")).await.unwrap();
    let response = rig.call(&ask()).await;
    assert!(timeout(SOON, response.into_body().collect()).await.unwrap().is_err(), "never looks whole");
    let events = [rig.event().await, rig.event().await];
    assert!(events.iter().any(|e| matches!(e, GateEvent::Upstream { .. })), "{events:?}");
    assert!(
        events.contains(&GateEvent::Used { total: Usage { calls: 1, ..Usage::default() } }),
        "{events:?}"
    );
    drop(chunks);
}

#[tokio::test]
async fn nobody_listening_to_events_holds_up_no_call() {
    let upstream = Upstream::start(|_| Reply::events(completed(1, 0, 1))).await;
    let mut rig = Rig::with(upstream.model(), GateLimits::default(), 1).await;
    for _ in 0..20 {
        timeout(SOON, async { text(rig.call(&ask()).await).await }).await.unwrap();
    }
    let mut newest = 0;
    while newest < 20 {
        let GateEvent::Used { total } = rig.event().await else { continue };
        assert!(total.calls > newest, "totals only grow");
        newest = total.calls;
    }
}

#[tokio::test]
async fn the_models_are_listed() {
    let upstream = Upstream::start(|_| Reply::json(200, &json!({"data": [{"id": "a"}, {"id": "b"}]}))).await;
    let rig = Rig::new(upstream.model()).await;
    let answer =
        rig.raw("GET /v1/models?client_version=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""id":"a""#) && answer.contains(r#""id":"b""#), "{answer}");
    assert!(upstream.seen()[0].head.starts_with("GET /v1/models\n"), "the query stays here");
}
