//! Long answers: a bounded pipe from a task that writes to a body that is read.

use crate::reply::Failure;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Frames that wait for a slow reader; then the source waits.
const PIPE: usize = 64;
/// Between two signs of life on a quiet stream.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where a streaming task writes.
pub(super) struct Pipe(mpsc::Sender<io::Result<Bytes>>);

/// The reader went away.
#[derive(Debug)]
pub(super) struct Gone;

impl Pipe {
    pub(super) async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.0.send(Ok(bytes)).await.map_err(|_| Gone)
    }

    /// Cuts the answer, so that the reader knows that this was not its end.
    pub(super) async fn cut(&self, why: &str) {
        let _ = self.0.send(Err(io::Error::other(why.to_owned()))).await;
    }

    /// Until the reader has gone away.
    pub(super) async fn gone(&self) {
        self.0.closed().await;
    }
}

/// An answer of `kind` that `write` fills until it returns.
pub(super) fn answer<F, W>(kind: &'static str, write: W) -> Response
where
    F: Future<Output = ()> + Send + 'static,
    W: FnOnce(Pipe) -> F,
{
    let (sender, receiver) = mpsc::channel(PIPE);
    tokio::spawn(write(Pipe(sender)));
    let body = Body::from_stream(ReceiverStream::new(receiver));
    ([(CONTENT_TYPE, kind)], body).into_response()
}

/// Whether the caller would rather have server-sent events.
pub(super) fn wants_sse(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|part| part.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

/// The id of the last event a returning reader had.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value
        .to_str()
        .map_err(|_| Failure::usage("Last-Event-ID is no text", "send back an id as it came"))?;
    Ok(Some(text.to_owned()).filter(|t| !t.is_empty()))
}
