//! A pretending node, served on a Unix socket and on loopback TCP, and raw bytes to talk to it.

use ikigai_http::{Api, ApiOptions, AuthOptions, Front, HostService, Listener, TokenHash};
use ikigai_ports::testsuite::fake_node::FakeNode;
use ikigai_types::Timestamp;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct Served {
    pub(crate) fake: FakeNode,
    pub(crate) address: SocketAddr,
    pub(crate) socket: PathBuf,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
    _dir: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|l| l.split_once(": "));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

impl Served {
    pub(crate) async fn shop() -> Self {
        Self::with(None).await
    }

    pub(crate) async fn with(fallback: Option<Arc<dyn HostService>>) -> Self {
        Self::fronted(fallback, Front::default()).await
    }

    pub(crate) async fn fronted(fallback: Option<Arc<dyn HostService>>, front: Front) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let fake = FakeNode::shop(Timestamp(1_700_000_000_000), "/srv/shop");
        let auth = AuthOptions { token: Some(TokenHash::of(TOKEN)), hosts: Vec::new() };
        let api = Api::with_front(Arc::new(fake.clone()), ApiOptions { auth, fallback }, front);
        let socket = dir.path().join("ikigai.sock");
        let tcp = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let Listener::Tcp(_, address) = tcp else { panic!("not TCP") };
        let unix = Listener::unix(&socket).await.unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(api.serve(vec![unix, tcp], stop.clone()));
        Self { fake, address, socket, stop, serving, _dir: dir }
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn unix(&self) -> UnixStream {
        UnixStream::connect(&self.socket).await.unwrap()
    }

    /// Sends `request`, in which `PORT` and `TOKEN` stand for the real ones, over TCP.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let request = request.replace("PORT", &self.address.port().to_string()).replace("TOKEN", TOKEN);
        ask(self.tcp().await, request.as_bytes()).await
    }

    /// A well-formed request over TCP.
    pub(crate) async fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.raw(&request(method, path, &format!("Authorization: Bearer TOKEN\r\n{headers}"), body)).await
    }

    /// A well-formed request over the Unix socket.
    pub(crate) async fn local(&self, method: &str, path: &str, body: &str) -> Answer {
        ask(self.unix().await, request(method, path, "", body).replace(":PORT", "").as_bytes()).await
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends bytes and reads until the other end closes.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &[u8]) -> Answer {
    // The other end may refuse and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: unchunk(head, body) }
}

fn unchunk(head: &str, body: &str) -> String {
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let mut out = String::new();
    let mut rest = body;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        out.push_str(after.get(..size).unwrap_or(after));
        rest = after.get(size + 2..).unwrap_or("");
    }
    out
}
