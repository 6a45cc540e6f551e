//! A provider on loopback, a gate in a folder, and clients of it.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ikigai_gateway::{GateLimits, Gateway, GatewayOptions};
use ikigai_models::{HttpModel, HttpModelOptions};
use ikigai_ports::gate::{GateEvent, GatePolicy, Gates};
use ikigai_ports::signer::{Secret, Secrets};
use ikigai_ports::{Model, PortError, PortResult};
use ikigai_types::{AttemptId, Egress, Epoch, Fence, Price, Prices, TaskId, Usage};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longest any test waits for what must come.
pub const SOON: Duration = Duration::from_secs(20);

/// One request as the provider got it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub head: String,
    pub body: Bytes,
}

/// What a provider answers.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub chunks: BoxStream<'static, Bytes>,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::of(status, "application/json", vec![Bytes::from(body.to_string())])
    }

    pub fn events(text: impl Into<Bytes>) -> Self {
        Self::of(200, "text/event-stream", vec![text.into()])
    }

    pub fn of(status: u16, kind: &str, chunks: Vec<Bytes>) -> Self {
        Self { status, headers: vec![("content-type", kind.into())], chunks: stream::iter(chunks).boxed() }
    }
}

/// A provider on loopback.
pub struct Upstream {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    pub async fn start(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, reply) = (seen.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, reply) = (kept.clone(), reply.clone());
                let service = service_fn(move |request| {
                    let (kept, reply) = (kept.clone(), reply.clone());
                    async move { Ok::<_, Infallible>(serve(request, &kept, &*reply).await) }
                });
                let builder = hyper::server::conn::http1::Builder::new();
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn model(&self) -> Arc<dyn Model> {
        Arc::new(HttpModel::new(HttpModelOptions::new("fake", &self.url)).unwrap())
    }
}

type Frames = StreamBody<BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

async fn serve(
    request: Request<Incoming>,
    kept: &Mutex<Vec<Seen>>,
    reply: &(dyn Fn(&Seen) -> Reply + Sync),
) -> Response<Frames> {
    let (parts, body) = request.into_parts();
    let mut head = format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        head.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    let seen = Seen { head, body: body.collect().await.unwrap().to_bytes() };
    kept.lock().unwrap().push(seen.clone());
    let reply = reply(&seen);
    let frames = reply.chunks.map(|chunk| Ok(Frame::data(chunk))).boxed();
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(StreamBody::new(frames)).unwrap()
}

/// Secrets by name, each for the host 127.0.0.1 only; may be revoked.
#[derive(Debug, Default)]
pub struct Keys(Mutex<Vec<(String, String)>>);

impl Keys {
    pub fn with(name: &str, value: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(vec![(name.into(), value.into())])))
    }

    pub fn revoke(&self) {
        self.0.lock().unwrap().clear();
    }
}

#[async_trait::async_trait]
impl Secrets for Keys {
    async fn resolve(&self, name: &str, audience: &str) -> PortResult<Secret> {
        let keys = self.0.lock().unwrap();
        let found = keys.iter().find(|(known, _)| known == name && audience == "127.0.0.1");
        found
            .map(|(_, value)| Secret::new(value))
            .ok_or_else(|| PortError::NotFound(format!("secret `{name}`")))
    }
}

/// An open gate.
pub struct Rig {
    pub folder: TempDir,
    pub gateway: Arc<Gateway>,
    pub events: mpsc::Receiver<(Fence, GateEvent)>,
    pub fence: Fence,
}

pub const AGENT: &str = "t001";

pub fn fence(epoch: u64) -> Fence {
    Fence { attempt: AttemptId { task: TaskId::new("p.f.T001").unwrap(), number: 1 }, epoch: Epoch(epoch) }
}

/// $1 per million input tokens, $2 per million output tokens, whatever the model `gpt-5.5` is asked for.
pub fn prices() -> Prices {
    [("gpt-5.5", Price { input: 1_000_000, cached: Some(100_000), output: 2_000_000 })].into_iter().collect()
}

/// Everything any gate of this process logged, at the most talkative level.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    let lines =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    tracing::subscriber::set_global_default(lines.finish()).unwrap();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn log() -> String {
    String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap()
}

pub fn gateway(model: Arc<dyn Model>, limits: GateLimits) -> Arc<Gateway> {
    listing(model, limits, Egress::default())
}

/// A gateway of a node that lists `egress`.
pub fn listing(model: Arc<dyn Model>, limits: GateLimits, egress: Egress) -> Arc<Gateway> {
    // Listened to before the first gate can say anything.
    LazyLock::force(&LOG);
    let models = [("fake".to_owned(), model)].into();
    Arc::new(Gateway::new(GatewayOptions { models, prices: prices(), egress, limits }))
}

impl Rig {
    pub async fn new(model: Arc<dyn Model>) -> Self {
        Self::with(model, GateLimits::default(), 64).await
    }

    pub async fn with(model: Arc<dyn Model>, limits: GateLimits, room: usize) -> Self {
        Self::of(gateway(model, limits), room, Egress::default()).await
    }

    /// The gate of a task that may reach `egress`.
    pub async fn of(gateway: Arc<Gateway>, room: usize, egress: Egress) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (events, receiver) = mpsc::channel(room);
        let policy = GatePolicy { provider: "fake".into(), egress, events, spent: Usage::default() };
        gateway.open(&fence(1), AGENT, folder.path(), policy).await.unwrap();
        Self { folder, gateway, events: receiver, fence: fence(1) }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("gateway.sock")
    }

    pub async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.socket()).await.unwrap()
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(self.connect().await)).await.unwrap();
        tokio::spawn(connection);
        timeout(SOON, sender.send_request(request)).await.unwrap().unwrap()
    }

    pub async fn call(&self, body: &Value) -> Response<Incoming> {
        self.send(post(body)).await
    }

    /// Sends `text` as it is and reads until the gate closes the connection.
    pub async fn raw(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        // A gate that refuses need not read to the end.
        stream.write_all(text.as_bytes()).await.ok();
        let mut answer = Vec::new();
        timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub async fn event(&mut self) -> GateEvent {
        timeout(SOON, self.events.recv()).await.unwrap().unwrap().1
    }
}

pub fn post(body: &Value) -> Request<Full<Bytes>> {
    Request::builder()
        .method(Method::POST)
        .uri("/v1/responses")
        .header("host", "127.0.0.1:7419")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

pub async fn text(response: Response<Incoming>) -> String {
    let body = timeout(SOON, response.into_body().collect()).await.unwrap().unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

pub fn ask() -> Value {
    json!({"model": "gpt-5.5", "stream": true, "input": "hello"})
}

/// The last event of a stream.
pub fn completed(input: u64, cached: u64, output: u64) -> String {
    let response = json!({"model": "gpt-5.5", "usage": {
        "input_tokens": input, "input_tokens_details": {"cached_tokens": cached}, "output_tokens": output}});
    let event = json!({"type": "response.completed", "response": response});
    format!("event: response.completed\ndata: {event}\n\n")
}
