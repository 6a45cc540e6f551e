//! What passes between the browser and the editor, and what does not.

use crate::harness::{HOST, ORIGIN, World, text};
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_request_arrives_as_it_was_but_for_what_is_ours() {
    let world = World::plain();
    let session = world.session().await;
    let headers = [
        "Accept: */*",
        "Cookie: vscode-tkn=t; ikigai-other=x",
        "X-Forwarded-Host: evil.com",
        "Forwarded: host=evil.com",
        "X-Real-IP: 1.2.3.4",
        "Authorization: Bearer node-token",
        "X-Ikigai-Token: node-token",
    ];
    let got = world.ask("GET /a%20b/../c?x=//y&z=%2f", Some(&session), &headers).await;
    assert_eq!(got.status, 200);
    let expect = format!("GET /a%20b/../c?x=//y&z=%2f\nhost: {HOST}\naccept: */*\ncookie: vscode-tkn=t\n");
    let [seen] = &world.seen()[..] else { panic!("one request") };
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines[1..].sort();
        lines
    };
    assert_eq!(sorted(seen), sorted(&expect));
}

#[tokio::test]
async fn what_is_refused_never_arrives() {
    let world = World::plain();
    let session = world.session().await;
    let cookie = format!("Cookie: ikigai-editor={session}");
    let own = format!("Host: {HOST}");
    let cases: [(&str, &[&str], u16); 12] = [
        ("GET http://a.localhost:7420/", &[&own], 400),
        ("GET http://evil.com/", &[&own], 400),
        ("CONNECT a.localhost:7420", &[&own], 400),
        ("GET /", &[], 421),
        ("GET /", &[&own, &own], 421),
        ("GET /", &[&own, "Host: evil.com"], 421),
        ("GET /", &["Host: a.localhost.evil.com:7420"], 421),
        ("GET /", &["Host: localhost:7420"], 421),
        ("POST /", &[&own, "Content-Length: 0"], 403),
        ("GET /", &[&own, "Origin: http://b.localhost:7420"], 403),
        ("GET /.ikigai/x", &[&own], 404),
        ("GET /sw.js", &[&own, "Service-Worker: script"], 403),
    ];
    for (line, headers, status) in cases {
        let raw =
            format!("{line} HTTP/1.1\r\n{cookie}\r\nConnection: close\r\n{}\r\n\r\n", headers.join("\r\n"));
        let raw = raw.replace("\r\n\r\n\r\n", "\r\n\r\n");
        let got = world.raw(&raw).await;
        assert_eq!(got.status, status, "{line} {headers:?}: {got:?}");
    }
    assert_eq!(world.seen(), [""; 0]);
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    const MIB: usize = 1 << 20;
    let world = World::new(|request| {
        let body = StreamBody::new(tokio_stream_of(request.into_body()));
        http::Response::new(body.boxed_unsync())
    });
    let session = world.session().await;
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: {HOST}\r\nOrigin: {ORIGIN}\r\nConnection: close\r\n\
         Cookie: ikigai-editor={session}\r\nContent-Length: {}\r\n\r\n",
        8 * MIB
    );
    let browser = world.connect(&head).await;
    let (mut read, mut write) = tokio::io::split(browser);
    // The pipes between hold 64 KiB: this ends only if the answer flows while the request still does.
    let writer = tokio::spawn(async move {
        for n in 0..8u8 {
            write.write_all(&vec![b'a' + n; MIB]).await.unwrap();
        }
        write
    });
    let mut bytes = Vec::new();
    read.read_to_end(&mut bytes).await.unwrap();
    writer.await.unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("HTTP/1.1 200"));
    for n in 0..8u8 {
        let byte = b'a' + n;
        let count = bytes.iter().rev().take(9 * MIB).filter(|b| **b == byte).count();
        assert!((MIB..MIB + 2000).contains(&count), "{count} of {}", byte as char);
    }
}

/// The frames of a request's body, as they come.
fn tokio_stream_of(
    mut body: hyper::body::Incoming,
) -> impl futures::Stream<Item = Result<Frame<Bytes>, std::convert::Infallible>> {
    futures::stream::poll_fn(move |cx| {
        use hyper::body::Body;
        std::pin::Pin::new(&mut body).poll_frame(cx).map(|frame| frame.map(|f| Ok(f.unwrap())))
    })
}

#[tokio::test]
async fn a_body_longer_than_may_be_is_refused_before_it_is_sent() {
    let world = World::plain();
    let session = world.session().await;
    let origin = format!("Origin: {ORIGIN}");
    let got = world.ask("POST /", Some(&session), &[&origin, "Content-Length: 1073741825"]).await;
    assert_eq!(got.status, 413);
    assert_eq!(world.seen(), [""; 0]);
}

#[tokio::test]
async fn an_editor_that_is_away_is_told_as_text() {
    let world = World::plain();
    let link = ikigai_ports::EditorLinks::mint(&world.proxy, "away");
    let path = link.strip_prefix("http://away.localhost:7420").unwrap();
    let head = "Host: away.localhost:7420\r\nConnection: close";
    let got = world.raw(&format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n")).await;
    let session = got.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let got = world.raw(&format!("GET / HTTP/1.1\r\n{head}\r\nCookie: {session}\r\n\r\n")).await;
    assert_eq!(got.status, 502);
    assert!(got.body.contains("&lt;b&gt;its agentd did not connect"), "{got:?}");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let world = World::new(|request| match request.uri().path() {
        "/204" => text(204, ""),
        _ => text(200, "x"),
    });
    let session = world.session().await;
    let one = format!("GET /204 HTTP/1.1\r\nHost: {HOST}\r\nCookie: ikigai-editor={session}\r\n\r\n");
    let last = one.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let mut browser = world.connect(&(one.repeat(20) + &last)).await;
    let mut text = String::new();
    browser.read_to_string(&mut text).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 204").count(), 21);
    assert_eq!(world.seen().len(), 21);
}
