//! agentd's two connections, played by the test.

use crate::support::{AGENT, Reply, Rig, SOON, Upstream, completed};
use ikigai_gateway::GateLimits;
use ikigai_ports::PortResult;
use ikigai_ports::gate::{Duplex, GateOrder, Gates};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

type Connection = BufReader<UnixStream>;

async fn rig(limits: GateLimits) -> Rig {
    let upstream = Upstream::start(|_| Reply::events(completed(1, 0, 1))).await;
    Rig::with(upstream.model(), limits, 64).await
}

/// Changes protocol as agentd does; the status, and the connection.
async fn upgrade(rig: &Rig, path: &str, protocol: &str) -> (String, Connection) {
    let mut stream = BufReader::new(rig.connect().await);
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = String::new();
    stream.read_line(&mut status).await.unwrap();
    let mut line = String::from("x");
    while !line.trim().is_empty() {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
    }
    (status, stream)
}

async fn control(rig: &Rig) -> Connection {
    let (status, mut stream) = upgrade(rig, "/agentd/control", "ikigai-control").await;
    assert!(status.starts_with("HTTP/1.1 101"), "{status}");
    assert_eq!(order(&mut stream).await, json!({"order": "release"}), "nobody types");
    stream
}

async fn order(control: &mut Connection) -> Value {
    let mut line = String::new();
    timeout(SOON, control.read_line(&mut line)).await.unwrap().unwrap();
    serde_json::from_str(&line).unwrap_or(Value::Null)
}

fn dial(rig: &Rig) -> JoinHandle<PortResult<Box<dyn Duplex>>> {
    let gateway = Arc::clone(&rig.gateway);
    tokio::spawn(async move { gateway.dial_editor(AGENT).await })
}

#[tokio::test]
async fn a_stream_is_asked_for_and_brought() {
    let rig = rig(GateLimits::default()).await;
    let mut control = control(&rig).await;
    let dialing = dial(&rig);
    let asked = order(&mut control).await;
    assert_eq!(asked, json!({"order": "dial-editor", "id": asked["id"]}));
    let (status, mut inside) =
        upgrade(&rig, &format!("/agentd/streams/{}", asked["id"]), "ikigai-stream").await;
    assert!(status.starts_with("HTTP/1.1 101"), "{status}");
    let mut outside = dialing.await.unwrap().unwrap();
    assert!(rig.gateway.has_editor_open(&rig.fence));
    let many = vec![7u8; 1 << 20];
    let sent = many.clone();
    let writing = tokio::spawn(async move {
        outside.write_all(&sent).await.unwrap();
        outside
    });
    let mut got = vec![0; many.len()];
    inside.read_exact(&mut got).await.unwrap();
    assert!(got == many);
    let mut outside = writing.await.unwrap();
    inside.write_all(b"from inside").await.unwrap();
    inside.shutdown().await.unwrap();
    let mut text = String::new();
    outside.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "from inside");
    drop(outside);
    assert!(!rig.gateway.has_editor_open(&rig.fence));
    // The id was for one stream.
    let (status, _) = upgrade(&rig, &format!("/agentd/streams/{}", asked["id"]), "ikigai-stream").await;
    assert!(status.starts_with("HTTP/1.1 404"), "{status}");
}

#[tokio::test]
async fn bytes_that_come_with_the_head_are_not_lost() {
    let rig = rig(GateLimits::default()).await;
    let mut control = control(&rig).await;
    let dialing = dial(&rig);
    let id = order(&mut control).await["id"].clone();
    let mut stream = rig.connect().await;
    let head = format!(
        "GET /agentd/streams/{id} HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: ikigai-stream\r\n\r\nearly"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut outside = dialing.await.unwrap().unwrap();
    let mut got = [0; 5];
    outside.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"early");
}

#[tokio::test]
async fn an_agentd_that_comes_late_or_again_is_told_what_is_pending() {
    let rig = rig(GateLimits::default()).await;
    let dialing = dial(&rig);
    let mut first = control(&rig).await;
    let asked = order(&mut first).await;
    drop(first);
    let mut second = control(&rig).await;
    assert_eq!(order(&mut second).await, asked);
    let (_, _inside) = upgrade(&rig, &format!("/agentd/streams/{}", asked["id"]), "ikigai-stream").await;
    dialing.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_agentd_that_comes_back_is_told_whether_anybody_types() {
    let rig = rig(GateLimits::default()).await;
    drop(control(&rig).await);
    rig.gateway.tell(&rig.fence, GateOrder::Hold).await.unwrap();
    let (_, mut again) = upgrade(&rig, "/agentd/control", "ikigai-control").await;
    assert_eq!(order(&mut again).await, json!({"order": "hold"}));
}

#[tokio::test]
async fn the_newest_control_connection_is_the_one() {
    let rig = rig(GateLimits::default()).await;
    let mut old = control(&rig).await;
    let mut new = control(&rig).await;
    let mut rest = Vec::new();
    timeout(SOON, old.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.is_empty());
    let _dialing = dial(&rig);
    assert_eq!(order(&mut new).await["order"], "dial-editor");
}

#[tokio::test]
async fn what_agentd_could_not_do_is_said() {
    let rig = rig(GateLimits::default()).await;
    let mut control = control(&rig).await;
    let dialing = dial(&rig);
    let id = order(&mut control).await["id"].clone();
    let unknown = json!({"failed": 4711, "error": "not asked"});
    let failed = json!({"failed": id, "error": "no editor \u{1b}[31min this image"});
    control.write_all(format!("{unknown}\n{failed}\n").as_bytes()).await.unwrap();
    let error = dialing.await.unwrap().err().unwrap().chain();
    assert_eq!(
        error,
        "the workload of t001 is unavailable: its agentd says: no editor \u{fffd}[31min this image"
    );
}

#[tokio::test]
async fn waiting_has_an_end() {
    let short = Duration::from_millis(100);
    let rig =
        rig(GateLimits { control_time: short, dial_time: short, dials: 1, ..GateLimits::default() }).await;
    let error = timeout(SOON, dial(&rig)).await.unwrap().unwrap().err().unwrap().chain();
    assert!(error.contains("did not connect within"), "{error}");
    let mut control = control(&rig).await;
    let dialing = dial(&rig);
    let id = order(&mut control).await["id"].clone();
    let refused = rig.gateway.dial_editor(AGENT).await.err().unwrap().chain();
    assert!(refused.contains("1 streams are being waited for already"), "{refused}");
    let error = timeout(SOON, dialing).await.unwrap().unwrap().err().unwrap().chain();
    assert!(error.contains("no stream came within"), "{error}");
    let (status, _) = upgrade(&rig, &format!("/agentd/streams/{id}"), "ikigai-stream").await;
    assert!(status.starts_with("HTTP/1.1 404"), "a late stream is not taken: {status}");
}

#[tokio::test]
async fn finish_reaches_agentd_and_one_that_connects_again() {
    let rig = rig(GateLimits { control_time: Duration::from_millis(50), ..GateLimits::default() }).await;
    assert!(rig.gateway.tell(&rig.fence, GateOrder::Finish).await.is_err(), "nobody was there to be told");
    for _ in 0..2 {
        let mut control = control(&rig).await;
        assert_eq!(order(&mut control).await, json!({"order": "finish"}));
        rig.gateway.tell(&rig.fence, GateOrder::Finish).await.unwrap();
        assert_eq!(order(&mut control).await, json!({"order": "finish"}));
    }
}

#[tokio::test]
async fn what_is_no_answer_ends_the_control_connection() {
    let rig = rig(GateLimits::default()).await;
    for bad in ["\n".to_owned(), "{}\n".to_owned(), "x".repeat(1 << 20)] {
        let mut control = control(&rig).await;
        control.write_all(bad.as_bytes()).await.ok();
        let mut rest = Vec::new();
        timeout(SOON, control.read_to_end(&mut rest)).await.unwrap().ok();
    }
    for (path, protocol) in [("/agentd/control", "websocket"), ("/agentd/streams/1", "h2c")] {
        let (status, _) = upgrade(&rig, path, protocol).await;
        assert!(status.starts_with("HTTP/1.1 426"), "{status}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_gate() {
    let rig = rig(GateLimits::default()).await;
    let mut control = control(&rig).await;
    let dialing = dial(&rig);
    let id = order(&mut control).await["id"].clone();
    let (_, mut inside) = upgrade(&rig, &format!("/agentd/streams/{id}"), "ikigai-stream").await;
    let mut outside = dialing.await.unwrap().unwrap();
    rig.gateway.close(&rig.fence).await.unwrap();
    let mut rest = Vec::new();
    assert_eq!(timeout(SOON, outside.read_to_end(&mut rest)).await.unwrap().unwrap(), 0);
    assert!(outside.write_all(b"x").await.is_err());
    drop(outside);
    timeout(SOON, inside.read_to_end(&mut rest)).await.unwrap().unwrap();
    timeout(SOON, control.read_to_end(&mut rest)).await.unwrap().unwrap();
}
