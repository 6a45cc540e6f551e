//! Where streams and frames of peers wait for whoever takes them, each peer within its share.

use crate::options::{FRAMES_IN, FRAMES_IN_ALL, LIVE, LIVE_GUEST, WAITING, WAITING_ALL};
use crate::roles::Role;
use crate::stream::LaneStream;
use crate::table::Conn;
use ikigai_ports::mesh::Lane;
use ikigai_types::NodeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, mpsc};

const LANES: usize = Lane::ALL.len();

/// A stream that was not accepted yet, with its place in its peer's share of the queue.
type Waiting = (NodeId, LaneStream, OwnedSemaphorePermit);
/// A frame that was not received yet, likewise.
pub type Frame = (NodeId, Vec<u8>, OwnedSemaphorePermit);

/// Queues of streams by lane, and the one of frames.
pub struct Intake {
    lanes: [Queue<Waiting>; LANES],
    frames: Queue<Frame>,
    shares: Mutex<HashMap<NodeId, Arc<Share>>>,
}

struct Queue<T> {
    into: mpsc::Sender<T>,
    out: AsyncMutex<mpsc::Receiver<T>>,
}

impl<T> Queue<T> {
    fn new(bound: usize) -> Self {
        let (into, out) = mpsc::channel(bound);
        Self { into, out: AsyncMutex::new(out) }
    }

    async fn next(&self) -> T {
        self.out.lock().await.recv().await.expect("invariant: the sender is beside the receiver")
    }
}

/// What one peer may occupy here.
#[derive(Debug)]
struct Share {
    live: Arc<Semaphore>,
    waiting: [Arc<Semaphore>; LANES],
    frames: Arc<Semaphore>,
}

impl Share {
    fn new(role: Role) -> Self {
        let places = |n| Arc::new(Semaphore::new(n));
        let live = if role == Role::Peer { LIVE } else { LIVE_GUEST };
        Self { live: places(live), waiting: [(); LANES].map(|()| places(WAITING)), frames: places(FRAMES_IN) }
    }
}

impl Default for Intake {
    fn default() -> Self {
        let lanes = [(); LANES].map(|()| Queue::new(WAITING_ALL));
        Self { lanes, frames: Queue::new(FRAMES_IN_ALL), shares: Mutex::default() }
    }
}

impl Intake {
    /// Queues a stream of a peer, or resets it when the peer's share is used up.
    pub fn stream(&self, conn: &Arc<Conn>, lane: Lane, stream: libp2p::Stream) {
        let share = self.share(conn);
        let places = (
            Arc::clone(&share.live).try_acquire_owned(),
            Arc::clone(&share.waiting[lane as usize]).try_acquire_owned(),
        );
        let (Ok(seat), Ok(place)) = places else {
            tracing::debug!(peer = %conn.node, lane = lane.name(), "stream reset: too many of this peer");
            return;
        };
        let stream = LaneStream::new(stream, Arc::clone(conn), Some(seat));
        if self.lanes[lane as usize].into.try_send((conn.node, stream, place)).is_err() {
            tracing::debug!(peer = %conn.node, lane = lane.name(), "stream reset: too many of all peers");
        }
    }

    /// The next stream on `lane`. Cancel-safe.
    pub async fn accept(&self, lane: Lane) -> (NodeId, LaneStream) {
        let (node, stream, _place) = self.lanes[lane as usize].next().await;
        (node, stream)
    }

    /// The next frame. Cancel-safe.
    pub async fn receive(&self) -> (NodeId, Vec<u8>) {
        let (node, frame, _place) = self.frames.next().await;
        (node, frame)
    }

    /// The places for frames of `conn`'s node, and the queue they go to.
    pub fn frames(&self, conn: &Conn) -> (Arc<Semaphore>, mpsc::Sender<Frame>) {
        (Arc::clone(&self.share(conn).frames), self.frames.into.clone())
    }

    /// Forgets the shares of nodes that `stays` does not name.
    pub fn retain(&self, stays: impl Fn(&NodeId) -> bool) {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).retain(|node, _| stays(node));
    }

    fn share(&self, conn: &Conn) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shares.entry(conn.node).or_insert_with(|| Arc::new(Share::new(conn.role))))
    }
}
