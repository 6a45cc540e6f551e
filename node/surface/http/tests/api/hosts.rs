//! Requests for other hosts go to who answers for them, upgrades included, and to nobody else.

use crate::served::{Served, TOKEN, request};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ikigai_http::{HostBody, HostService};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Answers for `<agent>.localhost`; echoes after an upgrade.
#[derive(Debug)]
struct Agents;

impl HostService for Agents {
    fn answers(&self, host: &str) -> bool {
        host.strip_suffix(".localhost").is_some_and(|agent| !agent.is_empty() && !agent.contains('.'))
    }

    fn serve(&self, request: Request<Incoming>) -> BoxFuture<'static, Response<HostBody>> {
        let upgrades = request.headers().contains_key("upgrade");
        let seen = format!("{} {}", request.headers()["host"].to_str().unwrap(), request.uri());
        async move {
            if upgrades {
                tokio::spawn(async move {
                    let mut stream = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
                    let mut bytes = [0; 4];
                    stream.read_exact(&mut bytes).await.unwrap();
                    stream.write_all(&bytes).await.unwrap();
                });
            }
            let body = Full::new(Bytes::from(seen)).map_err(|never| match never {}).boxed_unsync();
            let mut response = Response::new(body);
            if upgrades {
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                response.headers_mut().insert("upgrade", "websocket".parse().unwrap());
                response.headers_mut().insert("connection", "upgrade".parse().unwrap());
                *response.body_mut() = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
            }
            response
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_is_its_own_world() {
    let served = Served::with(Some(Arc::new(Agents))).await;
    let at = |host: &str| request("GET", "/x?y", "", "").replace("localhost:PORT", host);
    let answer = served.raw(&at("T003-1.LOCALHOST:PORT")).await;
    assert_eq!((answer.status, answer.body.ends_with(" /x?y")), (200, true), "{answer:?}");
    assert_eq!(answer.header("x-request-id"), None, "nothing of the API is in it");
    for (host, status) in [
        ("localhost:PORT", 401),
        (".localhost:PORT", 421),
        ("a.b.localhost:PORT", 421),
        ("t003-1.localhost:1", 421),
        ("t003-1.localhost", 421),
        ("t003-1.localhost.evil.example:PORT", 421),
        ("xlocalhost:PORT", 421),
    ] {
        assert_eq!(served.raw(&at(host)).await.status, status, "{host}");
    }
    let absolute = request("GET", "http://t003-1.localhost:PORT/", "", "")
        .replace("Host: localhost", "Host: t003-1.localhost");
    assert_eq!(served.raw(&absolute).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_goes_through() {
    let served = Served::with(Some(Arc::new(Agents))).await;
    let mut stream = served.tcp().await;
    let port = served.address.port();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a.localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = vec![0; 4096];
    let mut read = 0;
    while !bytes[..read].ends_with(b"\r\n\r\n") {
        read += stream.read(&mut bytes[read..]).await.unwrap();
    }
    assert!(bytes.starts_with(b"HTTP/1.1 101"));
    stream.write_all(b"ping").await.unwrap();
    stream.read_exact(&mut bytes[..4]).await.unwrap();
    assert_eq!(&bytes[..4], b"ping");
    assert_eq!(served.call("GET", "/health", "", "").await.status, 200, "{TOKEN}");
}
