//! A real browser with two editors open, one of which is hostile.

use crate::harness::{Answer, World, text, with};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ikigai_ports::EditorLinks;
use std::io::Write as _;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/isolation.cjs");
const PAGE: &str = include_str!("../browser/hostile.html");

/// What the hostile agent serves; the other one serves the same and is used by a person.
fn app(mut request: http::Request<Incoming>) -> Answer {
    let page = |kind: &'static str, body: &'static str| {
        let mut answer = http::Response::new(Full::new(Bytes::from_static(body.as_bytes())).boxed_unsync());
        answer.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
        answer
    };
    match request.uri().path() {
        "/" => page("text/html", PAGE),
        "/sw.js" | "/deep/sw.js" => {
            let mut worker = page("text/javascript", "self.addEventListener('fetch', () => {});");
            worker.headers_mut().insert("service-worker-allowed", http::HeaderValue::from_static("/"));
            worker
        }
        "/ws" => {
            let Some(key) = request.headers().get("sec-websocket-key").cloned() else { return text(400, "") };
            let accept = ring::digest::digest(
                &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
                &[key.as_bytes(), b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat(),
            );
            tokio::spawn(async move {
                let mut stream = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
                stream.write_all(b"\x81\x05hello").await.unwrap();
                stream.read_u8().await.ok();
            });
            let mut answer = with(101, &[("connection", "upgrade"), ("upgrade", "websocket")]);
            answer.headers_mut().insert("sec-websocket-accept", base64(accept.as_ref()).parse().unwrap());
            answer
        }
        "/cookies" => with(
            200,
            &[
                ("set-cookie", "ikigai-editor=evil; Path=/"),
                ("set-cookie", "x=1; Domain=localhost"),
                ("set-cookie", "own=1"),
            ],
        ),
        "/clear" => with(200, &[("clear-site-data", "\"*\"")]),
        "/away" => with(302, &[("location", "//evil.localhost/")]),
        _ => text(200, "ok"),
    }
}

fn base64(bytes: &[u8]) -> String {
    const SET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let char = SET[(group >> (18 - 6 * n) & 63) as usize];
            out.push(if n <= chunk.len() { char as char } else { '=' });
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_editor_reaches_neither_us_nor_another_agent() {
    let Some(playwright) = std::env::var_os("IKIGAI_PLAYWRIGHT") else {
        assert!(
            std::env::var("IKIGAI_REQUIRE_BROWSER").as_deref() != Ok("1"),
            "IKIGAI_PLAYWRIGHT is not set"
        );
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a_hostile_editor_reaches_neither_us_nor_another_agent: IKIGAI_PLAYWRIGHT is not set (run: make test)"
        );
        return;
    };
    let world = World::new(app);
    world.listen().await;
    let driver = tokio::process::Command::new("node")
        .arg(DRIVER)
        .args([world.proxy.mint("a"), world.proxy.mint("b"), world.proxy.mint("b")])
        .env("IKIGAI_PLAYWRIGHT", playwright)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let done = tokio::time::timeout(std::time::Duration::from_secs(120), driver).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let told = String::from_utf8_lossy(&done.stderr);
    let failed: Vec<_> = said.lines().filter(|l| !l.starts_with("held: ")).collect();
    assert!(failed.is_empty() && done.status.success(), "{said}{told}");
    assert!(said.lines().count() >= 20, "every attack was tried: {said}");

    let seen = world.seen();
    assert!(seen.len() > 5);
    for head in &seen {
        let text = head.to_ascii_lowercase();
        assert!(!text.contains("ikigai") && !text.contains("token="), "{head}");
        let planted = ["x-forwarded", "forwarded:", "authorization"];
        assert!(planted.iter().all(|name| !text.contains(name)), "{head}");
    }
    for path in ["/fire", "/post", "/framed", "/script.js"] {
        assert!(
            !seen.iter().any(|head| head.contains(path)),
            "a hostile page reached the other agent: {path}"
        );
    }
    assert!(!seen.iter().any(|head| head.contains("/sw.js") && !head.contains("/deep/")));
}
