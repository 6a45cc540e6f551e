//! One request to an agent's editor and its answer back; bytes both ways after a WebSocket was agreed on.

use crate::page::{Body, BodyError, Refusal};
use crate::{inbound, outbound};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::rt::TokioIo;
use ikigai_ports::{Gates, PortError};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Requests and WebSockets on their way to editors at once, of all agents.
const STREAMS: usize = 1024;
/// How long the editor may take to begin its answer; its first start is not counted, the gate bounds that.
const ANSWER: Duration = Duration::from_secs(120);
/// How long one direction of a WebSocket may outlive the other.
const HALF_OPEN: Duration = Duration::from_secs(2);
/// Largest request body.
const MAX_BODY: usize = 1 << 30;
/// Most bytes and headers of an answer's head.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// Comes to an end when a session is over.
pub type Over = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a request was not answered by the editor.
#[derive(Debug)]
pub enum RelayError {
    /// The agent is gone for good.
    Ended,
    /// Anything else.
    Refused(Refusal),
}

impl From<Refusal> for RelayError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Passes requests on.
#[derive(Debug)]
pub struct Relay {
    gates: Arc<dyn Gates>,
    streams: Arc<Semaphore>,
}

impl Relay {
    /// To the editors behind `gates`.
    pub fn new(gates: Arc<dyn Gates>) -> Self {
        Self { gates, streams: Arc::new(Semaphore::new(STREAMS)) }
    }

    /// Passes `request` to the editor of `agent` and gives its answer. `over`: when the session is.
    pub async fn pass(
        &self,
        agent: &str,
        origin: &str,
        upgrade: bool,
        over: Over,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, RelayError> {
        let permit = self.streams.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
        check_size(&request)?;
        let browser = upgrade.then(|| on(&mut request));
        let request = outgoing(request, upgrade)?;
        let stream = self.gates.dial_editor(agent).await.map_err(not_dialled)?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Refusal::Answer)?;
        // Its end shows in the answer's body or in the upgraded stream.
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
        let answered = timeout(ANSWER, sender.send_request(request)).await.map_err(|_| Refusal::Slow)?;
        let mut response = answered.map_err(|_| Refusal::Answer)?;
        let status = response.status();
        outbound::clean(status, response.headers_mut(), origin, upgrade)?;
        *response.version_mut() = Version::HTTP_11;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let editor = on(&mut response);
            let browser = browser.ok_or(Refusal::Answer)?;
            tokio::spawn(tunnel(browser, editor, over, permit));
            return Ok(
                response.map(|_| http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync())
            );
        }
        Ok(response.map(|body| Held { body, over, _permit: permit }.boxed_unsync()))
    }
}

fn not_dialled(error: PortError) -> RelayError {
    match error {
        PortError::NotFound(_) => RelayError::Ended,
        other => Refusal::Away(format!("The editor cannot be reached: {}.", other.chain())).into(),
    }
}

fn check_size(request: &Request<Incoming>) -> Result<(), Refusal> {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    if length.unwrap_or(0) > MAX_BODY as u64 { Err(Refusal::Size) } else { Ok(()) }
}

/// The request as the agent sees it: the same target and Host, and only the headers that are its business.
fn outgoing(request: Request<Incoming>, upgrade: bool) -> Result<Request<Limited<Incoming>>, Refusal> {
    let (mut parts, body) = request.into_parts();
    inbound::clean(&mut parts.headers, upgrade);
    parts.version = Version::HTTP_11;
    parts.extensions = http::Extensions::new();
    if !parts.headers.contains_key(HOST) {
        return Err(Refusal::Host);
    }
    if body.is_end_stream()
        && !parts.headers.contains_key(CONTENT_LENGTH)
        && parts.method == http::Method::POST
    {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(Request::from_parts(parts, Limited::new(body, MAX_BODY)))
}

/// Bytes both ways until either side ends, or the session does.
async fn tunnel(browser: OnUpgrade, editor: OnUpgrade, over: Over, permit: OwnedSemaphorePermit) {
    let joined = async {
        let (browser, editor) = tokio::try_join!(browser, editor)?;
        join(TokioIo::new(browser), TokioIo::new(editor)).await;
        Ok::<_, hyper::Error>(())
    };
    tokio::select! {
        _ = joined => {}
        () = over => tracing::debug!("a WebSocket ended with its session"),
    }
    drop(permit);
}

/// A WebSocket has no half: when one direction ended, what is on its way in the other still arrives, and
/// that is all.
async fn join(browser: impl AsyncRead + AsyncWrite, editor: impl AsyncRead + AsyncWrite) {
    let (mut from_browser, mut to_browser) = split(browser);
    let (mut from_editor, mut to_editor) = split(editor);
    let inward = async {
        copy(&mut from_browser, &mut to_editor).await.ok();
        to_editor.shutdown().await.ok();
    };
    let outward = async {
        copy(&mut from_editor, &mut to_browser).await.ok();
        to_browser.shutdown().await.ok();
    };
    tokio::pin!(inward, outward);
    tokio::select! {
        () = &mut inward => drop(timeout(HALF_OPEN, outward).await),
        () = &mut outward => drop(timeout(HALF_OPEN, inward).await),
    }
}

/// An answer's body, which counts as a stream until it was read, and is cut when the session is over.
struct Held {
    body: Incoming,
    over: Over,
    _permit: OwnedSemaphorePermit,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, BodyError>>> {
        if self.over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the session is over".into())));
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
