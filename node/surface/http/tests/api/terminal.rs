//! The one WebSocket: what comes before it is what comes before everything else.

use crate::served::{Served, TOKEN, request};
use async_trait::async_trait;
use ikigai_http::Front;
use ikigai_ports::Terminals;
use ikigai_ports::gate::Duplex;
use ikigai_ports::node::Answer;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Terminals that are there and say nothing.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Terminals for Silent {
    async fn attach(&self, _: &str, _: &str) -> Answer<Box<dyn Duplex>> {
        let (ours, theirs) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let mut ours = ours;
            let mut nothing = [0; 64];
            while ours.read(&mut nothing).await.is_ok_and(|n| n > 0) {}
        });
        Ok(Box::new(theirs))
    }
}

const UPGRADE: &str = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The head of the answer to a request for a terminal.
async fn open(served: &Served, path: &str, headers: &str) -> String {
    let text = request("GET", path, &format!("{UPGRADE}{headers}"), "");
    let text = text.replace("Connection: close", "Connection: Upgrade");
    let text = text.replace("PORT", &served.address.port().to_string()).replace("TOKEN", TOKEN);
    let mut stream = served.tcp().await;
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}

async fn served() -> Served {
    Served::fronted(None, Front { terminals: Some(Arc::new(Silent)), ..Front::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_opened_by_who_may_and_by_nobody_else() {
    let (served, path) = (served().await, "/v1/tasks/T003/terminal");
    let token = "Authorization: Bearer TOKEN\r\n";
    assert_eq!(status(&open(&served, path, "").await), 401);
    assert_eq!(status(&open(&served, path, "Authorization: Bearer no\r\n").await), 401);
    let elsewhere = format!("{token}Origin: http://evil.example\r\n");
    assert_eq!(status(&open(&served, path, &elsewhere).await), 403);
    let port = format!("{token}Origin: http://localhost:1\r\n");
    assert_eq!(status(&open(&served, path, &port).await), 403);
    let site = format!("{token}Sec-Fetch-Site: same-site\r\n");
    assert_eq!(status(&open(&served, path, &site).await), 403);
    let good =
        format!("{token}Origin: http://localhost:PORT\r\nSec-WebSocket-Protocol: ikigai.terminal.v1\r\n");
    let head = open(&served, path, &good).await;
    assert_eq!(status(&head), 101, "{head}");
    assert!(head.to_ascii_lowercase().contains("sec-websocket-protocol: ikigai.terminal.v1"), "{head}");
    assert_eq!(status(&open(&served, "/v1/tasks/T003/terminal?at=x", token).await), 400);
    assert_eq!(status(&open(&served, "/v1/events", token).await), 400, "nothing else changes protocol");
    assert_eq!(served.call("GET", path, "", "").await.status, 426);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_terminals_says_so() {
    let served = Served::shop().await;
    let head = open(&served, "/v1/tasks/T003/terminal", "Authorization: Bearer TOKEN\r\n").await;
    assert_eq!(status(&head), 404, "{head}");
}
