//! Frames: a one-way stream to each peer, a length before each frame.

use crate::intake::Frame;
use crate::lanes::Kind;
use crate::opener::Opener;
use crate::options::FRAMES_OUT;
use crate::stream::LaneStream;
use crate::table::Conn;
use ikigai_ports::mesh::MAX_FRAME;
use ikigai_types::NodeId;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// A peer that takes no byte for so long gets a new stream.
const STALLED: Duration = Duration::from_secs(5);

// === out ===

/// A queue and a task for each peer.
#[derive(Debug)]
pub struct Writers {
    opener: Opener,
    queues: Mutex<HashMap<NodeId, mpsc::Sender<Vec<u8>>>>,
}

impl Writers {
    pub fn new(opener: Opener) -> Self {
        Self { opener, queues: Mutex::default() }
    }

    /// Queues a frame; drops it when the queue is full, the peer is not allowed or the frame is too long.
    pub fn send(&self, node: NodeId, frame: Vec<u8>) {
        if frame.len() > MAX_FRAME {
            tracing::warn!(peer = %node, length = frame.len(), "frame dropped: too long");
            return;
        }
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        // A frame may be lost.
        let _ = queues.get(&node).map(|queue| queue.try_send(frame));
    }

    /// From now on for `peers` and nobody else.
    pub fn set(&self, peers: impl Iterator<Item = NodeId>) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *queues);
        for node in peers {
            let queue = old.remove(&node).unwrap_or_else(|| {
                let (queue, frames) = mpsc::channel(FRAMES_OUT);
                tokio::spawn(write(self.opener.clone(), node, frames));
                queue
            });
            queues.insert(node, queue);
        }
    }

    /// Ends every task.
    pub fn close(&self) {
        self.set(std::iter::empty());
    }
}

async fn write(opener: Opener, node: NodeId, mut frames: mpsc::Receiver<Vec<u8>>) {
    let mut stream: Option<LaneStream> = None;
    while let Some(frame) = frames.recv().await {
        // A stream may have broken since the last frame, so there is a second try.
        for _ in 0..2 {
            if stream.is_none() {
                stream = opener.open_now(node, Kind::Frames).await.ok();
            }
            let Some(open) = &mut stream else { break };
            match timeout(STALLED, write_one(open, &frame)).await {
                Ok(Ok(())) => break,
                Ok(Err(_)) | Err(_) => stream = None,
            }
        }
    }
}

async fn write_one(stream: &mut LaneStream, frame: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(2 + frame.len());
    let length = u16::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(frame);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

// === in ===

/// The task that reads frames of each peer; one per peer, the newest stream wins.
#[derive(Debug, Default)]
pub struct Readers(Mutex<HashMap<NodeId, AbortHandle>>);

impl Readers {
    /// Reads `stream` instead of the peer's earlier one.
    pub fn read(
        &self,
        conn: &Arc<Conn>,
        mut stream: libp2p::Stream,
        (places, queue): (Arc<Semaphore>, mpsc::Sender<Frame>),
    ) {
        stream.ignore_for_keep_alive();
        let node = conn.node;
        let stream = LaneStream::new(stream, Arc::clone(conn), None);
        let task = tokio::spawn(async move {
            if let Err(error) = read(node, stream, places, queue).await {
                tracing::debug!(peer = %node, %error, "stream of frames ended");
            }
        });
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|_, task| !task.is_finished());
        if let Some(old) = tasks.insert(node, task.abort_handle()) {
            old.abort();
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        let tasks = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        tasks.values().for_each(AbortHandle::abort);
    }
}

async fn read(
    node: NodeId,
    stream: LaneStream,
    places: Arc<Semaphore>,
    queue: mpsc::Sender<Frame>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let length = usize::from(stream.read_u16().await?);
        if length > MAX_FRAME {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
        }
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).await?;
        // Waiting here holds up this peer alone: its stream fills, then its sender drops frames.
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        queue.send((node, frame, place)).await.map_err(io::Error::other)?;
    }
}
