//! One HTTP/2 connection over one stream of a peer.

use crate::limits::Caller;
use crate::service::Served;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ikigai_ports::gate::Duplex;
use ikigai_ports::mesh::Lane;
use ikigai_ports::rpc::{CONNECTION_WINDOW, MAX_STREAMS, STREAM_WINDOW};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Largest headers of a call, in bytes.
const MAX_HEADERS: u32 = 16 << 10;

/// On what terms a connection is served.
#[derive(Debug)]
pub(crate) struct Terms {
    /// The lane it came over.
    pub(crate) lane: Lane,
    /// Who is at the other end, as the mesh proved it.
    pub(crate) caller: Arc<Caller>,
    /// Ends it; cancelled when it has ended by itself.
    pub(crate) over: CancellationToken,
}

/// Answers what comes over `stream` until either end has enough of it.
///
/// There are no keep-alive pings from here: they would wake both machines while nothing is asked. A
/// connection whose other end is gone ends with its stream, or when the peer has made newer ones.
pub(crate) async fn serve(stream: Box<dyn Duplex>, terms: Terms, served: Arc<Served>) {
    let _over = terms.over.clone().drop_guard();
    let (lane, caller) = (terms.lane, terms.caller);
    let (node, answering) = (caller.node, served.clone());
    let service = service_fn(move |request| {
        let (served, caller) = (answering.clone(), caller.clone());
        async move { Ok::<_, Infallible>(served.answer(lane, &caller, request).await) }
    });
    let connection = http2::Builder::new(Tracked(served.tasks.clone()))
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .max_header_list_size(MAX_HEADERS)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut is_stopping = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = terms.over.cancelled() => break Ok(()),
            () = served.stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %node.short(), lane = lane.name(), %error, "a connection of a peer broke");
    }
}

/// Spawns what a connection needs where it is waited for.
#[derive(Debug, Clone)]
struct Tracked(TaskTracker);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tracked {
    fn execute(&self, work: F) {
        self.0.spawn(work);
    }
}
