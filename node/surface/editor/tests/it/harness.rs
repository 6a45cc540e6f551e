//! A browser that writes raw requests, and an agent whose editor answers whatever a test wants.

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ikigai_editor::{EditorOptions, EditorProxy};
use ikigai_memory::{SeededRng, VirtualClock};
use ikigai_ports::gate::{Duplex, GateOrder, GatePolicy};
use ikigai_ports::{EditorLinks, Gates, PortError, PortResult};
use ikigai_types::{Fence, Timestamp, Usage};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

pub(crate) const HOST: &str = "a.localhost:7420";
pub(crate) const ORIGIN: &str = "http://a.localhost:7420";

pub(crate) type Answer = http::Response<UnsyncBoxBody<Bytes, Infallible>>;
type Editor = dyn Fn(http::Request<Incoming>) -> Answer + Send + Sync;

/// Gates with the agents `a` and `b`, whose editor is a function.
pub(crate) struct Agents {
    editor: Arc<Editor>,
    /// What reached the editor: the heads, as text.
    pub(crate) seen: Mutex<Vec<String>>,
    pub(crate) ended: Mutex<bool>,
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Agents")
    }
}

#[async_trait]
impl Gates for Agents {
    async fn open(&self, _: &Fence, _: &str, _: &Path, _: GatePolicy) -> PortResult<()> {
        Ok(())
    }
    async fn close(&self, _: &Fence) -> PortResult<Usage> {
        Ok(Usage::default())
    }
    async fn tell(&self, _: &Fence, _: GateOrder) -> PortResult<()> {
        Ok(())
    }
    fn has_editor_open(&self, _: &Fence) -> bool {
        false
    }
    async fn dial_terminal(&self, _: &Fence) -> PortResult<Box<dyn Duplex>> {
        unreachable!("a browser reaches no terminal through the editor's proxy")
    }
    async fn dial_editor(&self, agent: &str) -> PortResult<Box<dyn Duplex>> {
        match agent {
            "a" | "b" if !*self.ended.lock().unwrap() => {}
            "away" => return Err(PortError::unavailable("the editor", "<b>its agentd did not connect</b>")),
            _ => return Err(PortError::NotFound(agent.into())),
        }
        let (ours, theirs) = duplex(16 << 10);
        let editor = self.editor.clone();
        let service = service_fn(move |request| {
            let editor = editor.clone();
            async move { Ok::<_, Infallible>(editor(request)) }
        });
        let server = hyper::server::conn::http1::Builder::new();
        tokio::spawn(
            async move { server.serve_connection(TokioIo::new(theirs), service).with_upgrades().await },
        );
        Ok(Box::new(ours))
    }
}

/// A proxy with two agents behind it and time that stands still.
pub(crate) struct World {
    pub(crate) proxy: EditorProxy,
    pub(crate) agents: Arc<Agents>,
    pub(crate) clock: Arc<VirtualClock>,
}

impl World {
    pub(crate) fn new(editor: impl Fn(http::Request<Incoming>) -> Answer + Send + Sync + 'static) -> Self {
        let agents = Arc::new_cyclic(|agents: &std::sync::Weak<Agents>| {
            let recorder = agents.clone();
            let recorded = move |request: http::Request<Incoming>| {
                if let Some(agents) = recorder.upgrade() {
                    agents.seen.lock().unwrap().push(head_of(&request));
                }
                editor(request)
            };
            Agents { editor: Arc::new(recorded), seen: Mutex::default(), ended: Mutex::default() }
        });
        let clock = Arc::new(VirtualClock::new(Timestamp(1_000_000)));
        let rng = Arc::new(SeededRng::new(7));
        let proxy = EditorProxy::new(agents.clone(), rng, clock.clone(), EditorOptions { port: 7420 });
        Self { proxy, agents, clock }
    }

    /// A world whose editor says `hello` to everything.
    pub(crate) fn plain() -> Self {
        Self::new(|_| text(200, "hello"))
    }

    /// Serves real connections on a port of the loopback, which is then in every origin.
    pub(crate) async fn listen(&self) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        self.proxy.listens_on(port);
        let proxy = self.proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(proxy.clone(), stream);
            }
        });
        port
    }

    /// Opens a connection to the proxy, writes `raw` and leaves the rest to the caller.
    pub(crate) async fn connect(&self, raw: &str) -> DuplexStream {
        let (mut browser, theirs) = duplex(64 << 10);
        serve(self.proxy.clone(), theirs);
        browser.write_all(raw.as_bytes()).await.unwrap();
        browser
    }

    /// Asks with raw bytes and reads to the end.
    pub(crate) async fn raw(&self, raw: &str) -> Got {
        let mut browser = self.connect(raw).await;
        let mut bytes = Vec::new();
        browser.read_to_end(&mut bytes).await.unwrap();
        Got::read(&bytes)
    }

    /// `line` (`GET /x`) with headers, and a session if there is one; the connection is closed after it.
    pub(crate) async fn ask(&self, line: &str, session: Option<&str>, headers: &[&str]) -> Got {
        let mut raw = format!("{line} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n");
        if let Some(session) = session {
            raw += &format!("Cookie: ikigai-editor={session}\r\n");
        }
        for header in headers {
            raw += &format!("{header}\r\n");
        }
        self.raw(&(raw + "\r\n")).await
    }

    /// Follows a new link and gives the session.
    pub(crate) async fn session(&self) -> String {
        let link = self.proxy.mint("a");
        let got = self.ask(&format!("GET {}", link.strip_prefix(ORIGIN).unwrap()), None, &[]).await;
        assert_eq!(got.status, 303, "{got:?}");
        let cookie = got.header("set-cookie").unwrap();
        cookie.split(['=', ';']).nth(1).unwrap().to_owned()
    }

    /// What reached the editor since the last call.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.agents.seen.lock().unwrap())
    }
}

fn serve(proxy: EditorProxy, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(proxy.serve(request).await) }
    });
    let server = hyper::server::conn::http1::Builder::new();
    tokio::spawn(async move { server.serve_connection(TokioIo::new(stream), service).with_upgrades().await });
}

fn head_of(request: &http::Request<Incoming>) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}

pub(crate) fn text(status: u16, body: &'static str) -> Answer {
    let mut answer = http::Response::new(Full::new(Bytes::from_static(body.as_bytes())).boxed_unsync());
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
    answer
}

pub(crate) fn with(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
    let mut answer = text(status, "");
    for (name, value) in headers {
        answer.headers_mut().append(*name, http::HeaderValue::from_static(value));
    }
    answer
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).unwrap_or(0);
        let headers = lines
            .filter_map(|l| l.split_once(": "))
            .map(|(n, v)| (n.to_ascii_lowercase(), v.into()))
            .collect();
        Self { status, headers, body: body.into() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| &**v)
    }
}
