//! Hosts outside: what is listed by the task and by the node is let through, everything else is denied and told.

use crate::support::{Reply, Rig, SOON, Seen, Upstream, listing};
use bytes::Bytes;
use futures::StreamExt as _;
use ikigai_gateway::GateLimits;
use ikigai_ports::gate::{GateEvent, Gates as _};
use ikigai_types::Egress;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

fn egress(endpoints: &Value) -> Egress {
    serde_json::from_value(json!({"docs": {"endpoints": endpoints}})).unwrap()
}

/// A gate whose task and node list these endpoints.
async fn gate(task: &Value, node: &Value) -> Rig {
    let model = Upstream::start(|_| Reply::json(500, &json!({}))).await.model();
    Rig::of(listing(model, GateLimits::default(), egress(node)), 64, egress(task)).await
}

async fn site() -> (Upstream, u16) {
    let page = |seen: &Seen| {
        let mut reply = Reply::of(200, "text/plain", vec![Bytes::from("a page")]);
        reply.headers.push(("x-asked", seen.head.lines().next().unwrap_or_default().to_owned()));
        reply.headers.push(("keep-alive", "timeout=9".into()));
        reply
    };
    let upstream = Upstream::start(page).await;
    let port = upstream.url.trim_end_matches("/v1").rsplit_once(':').unwrap().1.parse().unwrap();
    (upstream, port)
}

async fn ask(rig: &Rig, line: &str, body: &str) -> String {
    let length = body.len();
    let head = "Host: other.example\r\nProxy-Authorization: Basic eA==\r\nX-Own: kept\r\nConnection: close";
    rig.raw(&format!("{line} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}")).await
}

async fn told(rig: &mut Rig) -> String {
    let GateEvent::Denied { what } = rig.event().await else { panic!("it was not told") };
    what
}

#[tokio::test]
async fn a_listed_get_passes_and_a_post_does_not() {
    let (site, port) = site().await;
    let list = json!([{"host": "127.0.0.1", "port": port, "access": "read-only"}]);
    let mut rig = gate(&list, &list).await;
    let answer = ask(&rig, &format!("GET http://127.0.0.1:{port}/docs?x=1"), "").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("a page"), "{answer}");
    assert!(answer.contains("x-asked: GET /docs?x=1") && !answer.contains("keep-alive"), "{answer}");
    let head = site.seen()[0].head.clone();
    assert!(head.contains(&format!("host: 127.0.0.1:{port}\n")) && head.contains("x-own: kept\n"), "{head}");
    assert!(!head.contains("proxy-") && !head.contains("other.example"), "{head}");

    for (line, body, why) in [
        ("POST", "x", "only GET, HEAD, OPTIONS are listed"),
        ("DELETE", "", "only GET, HEAD, OPTIONS are listed"),
        ("GET", "hidden", "it is listed as read-only, and the request has a body"),
    ] {
        let answer = ask(&rig, &format!("{line} http://127.0.0.1:{port}/docs?token=s3cret"), body).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["code"], "denied");
        assert!(body["message"].as_str().unwrap().contains(why), "{body}");
        assert_eq!(told(&mut rig).await, format!("{line} 127.0.0.1:{port}/docs: {why}"));
    }
    assert_eq!(site.seen().len(), 1, "nothing that was denied arrived");
}

#[tokio::test]
async fn the_node_is_the_ceiling_of_the_task() {
    let (site, port) = site().await;
    let (reads, all) = (
        json!({"host": "127.0.0.1", "port": port}),
        json!({"host": "127.0.0.1", "port": port, "access": "full"}),
    );
    let url = format!("http://127.0.0.1:{port}/");
    let mut rig = gate(&json!([all]), &json!([reads])).await;
    assert!(ask(&rig, &format!("POST {url}"), "x").await.starts_with("HTTP/1.1 403"));
    assert!(told(&mut rig).await.ends_with("on this node only GET, HEAD, OPTIONS are listed"));
    let mut rig = gate(&json!([all]), &json!([])).await;
    assert!(ask(&rig, &format!("GET {url}"), "").await.starts_with("HTTP/1.1 403"));
    assert!(told(&mut rig).await.ends_with("on this node it is not listed"));
    let mut rig = gate(&json!([{"host": "elsewhere.example"}]), &json!([all])).await;
    assert!(ask(&rig, &format!("GET {url}"), "").await.starts_with("HTTP/1.1 403"));
    assert!(told(&mut rig).await.ends_with(": it is not listed"));
    assert!(site.seen().is_empty());
    let rig = gate(&json!([all]), &json!([all])).await;
    assert!(ask(&rig, &format!("POST {url}"), "x").await.starts_with("HTTP/1.1 200"));
    assert_eq!(site.seen()[0].body, "x");
}

#[tokio::test]
async fn a_name_does_not_lead_to_an_address_that_is_not_named() {
    let (site, port) = site().await;
    let plain = json!({"host": "localhost", "port": port});
    let named = json!({"host": "localhost", "port": port, "allowed_ips": ["127.0.0.1", "::1"]});
    let url = format!("GET http://localhost:{port}/");
    for (task, node) in [(&plain, &plain), (&named, &plain), (&plain, &named)] {
        let mut rig = gate(&json!([task]), &json!([node])).await;
        assert!(ask(&rig, &url, "").await.starts_with("HTTP/1.1 403"));
        let what = told(&mut rig).await;
        assert!(what.contains("is this machine's own, and allowed_ips"), "{what}");
    }
    assert!(site.seen().is_empty());
    let rig = gate(&json!([named]), &json!([named])).await;
    let answer = ask(&rig, &url, "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A server that says what it was sent, once.
async fn listener() -> (u16, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let mut part = [0; 1024];
        while let Ok(n @ 1..) = stream.read(&mut part).await {
            bytes.extend_from_slice(&part[..n]);
            if stream.write_all(b"answered").await.is_err() {
                break;
            }
        }
        bytes
    });
    (port, heard)
}

/// A TLS hello for `name`, as short as one can be.
fn hello(name: &str) -> Vec<u8> {
    let sized = |n: usize, text: &[u8]| [&text.len().to_be_bytes()[8 - n..], text].concat();
    let list = sized(2, &[&[0][..], &sized(2, name.as_bytes())].concat());
    let extensions = [&[0, 0][..], &sized(2, &list)].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &sized(2, &[0x13, 1]), &[1, 0], &sized(2, &extensions)].concat();
    [&[22, 3, 1][..], &sized(2, &[&[1][..], &sized(3, &body)].concat())].concat()
}

/// Opens a tunnel and sends `first` through it; the status line, and what came back until the gate closed it or
/// anything came.
async fn tunnel(rig: &Rig, to: &str, first: &[u8]) -> (String, Vec<u8>) {
    let mut stream = rig.connect().await;
    stream.write_all(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(SOON, stream.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    stream.write_all(first).await.ok();
    let mut back = vec![0; 8];
    let read = timeout(SOON, stream.read(&mut back)).await.unwrap().unwrap_or(0);
    back.truncate(read);
    (head.lines().next().unwrap().to_owned(), back)
}

#[tokio::test]
async fn a_tunnel_carries_tls_to_the_host_it_was_asked_for_and_nothing_else() {
    let (port, heard) = listener().await;
    let name =
        json!({"host": "localhost", "port": port, "tls": "passthrough", "allowed_ips": ["127.0.0.1", "::1"]});
    let list = json!([name]);
    let mut rig = gate(&list, &list).await;
    let to = format!("localhost:{port}");
    let (status, back) = tunnel(&rig, &to, &hello("evil.example")).await;
    assert_eq!((&*status, &*back), ("HTTP/1.1 200 OK", &b""[..]));
    assert_eq!(told(&mut rig).await, format!("CONNECT {to}: its TLS hello is for evil.example"));
    assert_eq!(timeout(SOON, heard).await.unwrap().unwrap(), b"", "not a byte of it arrived");

    let (port, heard) = listener().await;
    let list = json!([{"host": "localhost", "port": port, "tls": "passthrough", "allowed_ips": ["127.0.0.1", "::1"]}]);
    let mut rig = gate(&list, &list).await;
    let to = format!("localhost:{port}");
    let (_, back) = tunnel(&rig, &to, &hello("localhost")).await;
    assert_eq!(back, b"answered");
    rig.gateway.close(&rig.fence).await.unwrap();
    assert_eq!(timeout(SOON, heard).await.unwrap().unwrap(), hello("localhost"), "ended with its gate");
    assert!(rig.events.try_recv().is_err(), "nothing was denied");
}

#[tokio::test]
async fn a_tunnel_is_only_for_those_listed_so() {
    let (site, port) = site().await;
    let plain = json!([{"host": "127.0.0.1", "port": port}]);
    let mut rig = gate(&plain, &plain).await;
    let (status, _) = tunnel(&rig, &format!("127.0.0.1:{port}"), b"").await;
    assert_eq!(status, "HTTP/1.1 403 Forbidden");
    assert!(told(&mut rig).await.ends_with("it is listed without tls = \"passthrough\""));
    let through = json!([{"host": "127.0.0.1", "port": port, "tls": "passthrough"}]);
    let mut rig = gate(&through, &through).await;
    assert!(ask(&rig, &format!("GET http://127.0.0.1:{port}/"), "").await.starts_with("HTTP/1.1 403"));
    assert!(told(&mut rig).await.contains("through CONNECT"));
    let (_, back) = tunnel(&rig, &format!("127.0.0.1:{port}"), b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(back, b"");
    assert!(told(&mut rig).await.contains("does not begin with TLS"));
    assert!(site.seen().is_empty());
}

#[tokio::test]
async fn a_listed_host_that_is_away_is_not_a_denial() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let list = json!([{"host": "127.0.0.1", "port": port}]);
    let rig = gate(&list, &list).await;
    let answer = ask(&rig, &format!("GET http://127.0.0.1:{port}/"), "").await;
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("cannot be reached"), "{answer}");
}

#[tokio::test]
async fn requests_at_a_time_are_bounded_and_end_with_the_gate() {
    let forever = |_: &Seen| {
        let mut reply = Reply::of(200, "text/plain", Vec::new());
        reply.chunks =
            futures::stream::iter([Bytes::from("begun")]).chain(futures::stream::pending()).boxed();
        reply
    };
    let site = Upstream::start(forever).await;
    let base = site.url.trim_end_matches("/v1").to_owned();
    let port: u16 = base.rsplit_once(':').unwrap().1.parse().unwrap();
    let list = egress(&json!([{"host": "127.0.0.1", "port": port}]));
    let model = Upstream::start(|_| Reply::json(500, &json!({}))).await.model();
    let limits = GateLimits { outside: 1, ..GateLimits::default() };
    let rig = Rig::of(listing(model, limits, list.clone()), 64, list).await;
    let mut first = rig.connect().await;
    first.write_all(format!("GET {base}/ HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("begun") {
        seen.push(timeout(SOON, first.read_u8()).await.unwrap().unwrap());
    }
    assert!(ask(&rig, &format!("GET {base}/"), "").await.starts_with("HTTP/1.1 503"));
    rig.gateway.close(&rig.fence).await.unwrap();
    let mut rest = Vec::new();
    timeout(SOON, first.read_to_end(&mut rest)).await.expect("the gate's end ends it").ok();
}
