//! One connection to one peer over one lane: opened when it is needed, kept, opened again when it broke.

use crate::failure;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ikigai_ports::mesh::Lane;
use ikigai_ports::rpc::{CONNECTION_WINDOW, STREAM_WINDOW};
use ikigai_ports::{Mesh, PortError};
use ikigai_types::NodeId;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::Status;
use tonic::body::Body;

/// How long opening may take; the mesh promises three seconds for its part.
const OPENING: Duration = Duration::from_secs(4);
/// Silence after which a connection with calls in flight is tried, and how long the other end has to answer.
/// Nothing is sent while nothing is asked.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// A connection that is opened once for all who wait for it; they share its failure too, so that a hundred
/// calls to a node that is away take as long as one.
type Opening = Shared<BoxFuture<'static, Result<SendRequest<Body>, Arc<PortError>>>>;

/// The way to one peer over one lane.
#[derive(Debug)]
pub(crate) struct Link {
    mesh: Arc<dyn Mesh>,
    node: NodeId,
    lane: Lane,
    opening: Mutex<Option<Opening>>,
}

/// A [`Link`] as gRPC calls it.
#[derive(Debug, Clone)]
pub(crate) struct Way(pub(crate) Arc<Link>);

// === impl Link ===

impl Link {
    pub(crate) fn new(mesh: Arc<dyn Mesh>, node: NodeId, lane: Lane) -> Self {
        Self { mesh, node, lane, opening: Mutex::new(None) }
    }

    /// Whether a connection is up or being opened.
    pub(crate) fn is_used(&self) -> bool {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(is_good)
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Status> {
        let unsent = match self.connection().await?.try_send_request(request).await {
            Ok(answer) => return Ok(answer),
            Err(mut broken) => match broken.take_message() {
                Some(request) => request,
                None => return Err(failure::broken(broken.error())),
            },
        };
        // It never left: the connection had ended before anyone noticed.
        let answer = self.connection().await?.send_request(unsent).await;
        answer.map_err(|e| failure::broken(&e))
    }

    async fn connection(&self) -> Result<SendRequest<Body>, Status> {
        self.opened_or_opening().await.map_err(|e| failure::unopened(&e))
    }

    fn opened_or_opening(&self) -> Opening {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opening) = opening.as_ref().filter(|o| is_good(o)) {
            return opening.clone();
        }
        // Its own task: a caller that gives up takes nothing from those that wait with it.
        let task = tokio::spawn(open(self.mesh.clone(), self.node, self.lane));
        let opened = async move {
            task.await.unwrap_or_else(|e| Err(PortError::failed("opening a connection", e))).map_err(Arc::new)
        };
        opening.insert(opened.boxed().shared()).clone()
    }
}

/// Whether it is worth waiting for, or open.
fn is_good(opening: &Opening) -> bool {
    match opening.peek() {
        None => true,
        Some(Ok(sender)) => !sender.is_closed(),
        Some(Err(_)) => false,
    }
}

async fn open(mesh: Arc<dyn Mesh>, node: NodeId, lane: Lane) -> Result<SendRequest<Body>, PortError> {
    let opened = async {
        let stream = mesh.open(node, lane).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(STREAM_WINDOW as usize)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(false)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| PortError::unavailable(format!("node {}", node.short()), e))?;
        // Ends when the stream does, or with the last sender.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(peer = %node.short(), lane = lane.name(), %error, "a connection to a peer broke");
            }
        });
        Ok(sender)
    };
    let late =
        |_| PortError::unavailable(format!("node {}", node.short()), "the connection did not open in time");
    tokio::time::timeout(OPENING, opened).await.map_err(late)?
}

// === impl Way ===

impl tower_service::Service<Request<Body>> for Way {
    type Response = Response<Incoming>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let link = self.0.clone();
        async move { link.send(request).await }.boxed()
    }
}
