//! How much of everything one peer gets, over all its connections.

use http_body::{Body, Frame, SizeHint};
use ikigai_ports::rpc::Verb;
use ikigai_types::NodeId;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::sync::PollSemaphore;
use tonic::Status;

/// Calls that are answered at once; a connection alone cannot have more.
const CALLS: usize = 256;
/// Runs of checks, which last.
const CHECKS: usize = 16;
/// Streams of lines and events. Fewer than a connection has room for, so that lines still get through.
const FOLLOWED: usize = 192;
/// Packs that are made and sent.
const PACKS: usize = 4;
/// Requests that are read into memory at once.
const READING: usize = 8;
/// Requests that carry lines; apart, so that a thin line full of them holds up no call.
const READING_LINES: usize = 4;
/// How long a request may take to come.
const COMING: Duration = Duration::from_secs(60);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What each peer uses now.
#[derive(Debug, Default)]
pub(crate) struct Callers(Mutex<HashMap<NodeId, Weak<Caller>>>);

/// What one peer uses now; its connections share it.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) node: NodeId,
    calls: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    followed: Arc<Semaphore>,
    packs: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    reading_lines: Arc<Semaphore>,
}

// === impl Callers ===

impl Callers {
    /// The account of `node`.
    pub(crate) fn account(&self, node: NodeId) -> Arc<Caller> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = accounts.get(&node).and_then(Weak::upgrade) {
            return caller;
        }
        accounts.retain(|_, caller| caller.strong_count() > 0);
        let caller = Arc::new(Caller::new(node));
        accounts.insert(node, Arc::downgrade(&caller));
        caller
    }
}

// === impl Caller ===

impl Caller {
    fn new(node: NodeId) -> Self {
        let of = |n| Arc::new(Semaphore::new(n));
        Self {
            node,
            calls: of(CALLS),
            checks: of(CHECKS),
            followed: of(FOLLOWED),
            packs: of(PACKS),
            reading: of(READING),
            reading_lines: of(READING_LINES),
        }
    }

    /// Room for one more call, for as long as the permit is held. A peer that follows the rules waits at its
    /// own end, so one that comes here too often is told so at once.
    pub(crate) fn admit(&self, verb: Verb) -> Result<OwnedSemaphorePermit, Status> {
        let (room, what, after) = match verb {
            Verb::Check => (&self.checks, "room for more checks", 10),
            Verb::Logs | Verb::Events => (&self.followed, "room for more followed streams", 1),
            Verb::Pack => (&self.packs, "room for more packs", 1),
            _ => (&self.calls, "room for more calls", 1),
        };
        let permit = Arc::clone(room).try_acquire_owned();
        permit.map_err(|_| crate::status::busy(what, Duration::from_secs(after)))
    }

    /// `body` of a call for `verb`, read only while few others of this peer are.
    pub(crate) fn in_turn<B>(&self, verb: Verb, body: B) -> InTurn<B> {
        let turns = if verb == Verb::Append { &self.reading_lines } else { &self.reading };
        let late = Box::pin(tokio::time::sleep(COMING));
        InTurn { body, late, turns: PollSemaphore::new(turns.clone()), turn: None }
    }
}

/// A request's body that waits for its turn to be read.
#[derive(Debug)]
pub(crate) struct InTurn<B> {
    body: B,
    late: Pin<Box<Sleep>>,
    turns: PollSemaphore,
    turn: Option<OwnedSemaphorePermit>,
}

impl<B: Body<Error: Into<BoxError>> + Unpin> Body for InTurn<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.get_mut();
        if this.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(
                Err(Status::deadline_exceeded("the request did not come whole").into()),
            ));
        }
        if this.turn.is_none() {
            // The semaphore is never closed, so a turn comes.
            this.turn = ready!(this.turns.poll_acquire(cx));
        }
        Pin::new(&mut this.body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
