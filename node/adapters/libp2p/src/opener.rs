//! Opening streams: which connection, how long, what next.

use crate::lanes::Kind;
use crate::options::{OPEN, OPEN_ONE};
use crate::stream::LaneStream;
use crate::table::{Conn, Table};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::NodeId;
use libp2p::swarm::ConnectionId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// A wish for a stream, as a connection's handler gets it.
#[derive(Debug)]
pub struct Request {
    pub kind: Kind,
    pub answer: oneshot::Sender<Result<libp2p::Stream, Fault>>,
}

/// Why a stream was not opened.
#[derive(Debug)]
pub enum Fault {
    /// The other end does not take such streams.
    Refused,
    /// Another connection may do.
    Broken(String),
}

impl Fault {
    fn text(self) -> String {
        match self {
            Self::Refused => "it does not take this kind of stream".into(),
            Self::Broken(why) => why,
        }
    }
}

/// What the driver is asked besides.
#[derive(Debug)]
pub enum Nudge {
    /// Somebody waits for a link to this node.
    Dial(NodeId),
    /// A stream could not be opened on this connection in time.
    Suspect(ConnectionId),
}

/// Opens streams on the best of a node's connections.
#[derive(Debug, Clone)]
pub struct Opener {
    pub table: Arc<Table>,
    pub nudges: mpsc::Sender<Nudge>,
}

impl Opener {
    /// A stream to `node`; waits for a link if there is none.
    pub async fn open(&self, node: NodeId, kind: Kind) -> PortResult<LaneStream> {
        let deadline = Instant::now() + OPEN;
        let mut changes = self.table.changes();
        let mut reason = "not linked".to_owned();
        loop {
            changes.mark_unchanged();
            match self.table.best(&node) {
                Some(conn) => match self.open_on(&conn, kind, deadline).await {
                    Ok(stream) => return Ok(stream),
                    Err(fault @ Fault::Refused) => return Err(away(node, fault.text())),
                    Err(fault) => {
                        reason = fault.text();
                        // The end of a connection is known a moment after its streams break.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                },
                None => {
                    // A full queue means that the driver has much to do, dialling among it.
                    let _ = self.nudges.try_send(Nudge::Dial(node));
                    let _ = timeout_at(deadline, changes.changed()).await;
                }
            }
            if Instant::now() >= deadline {
                return Err(away(node, reason));
            }
        }
    }

    /// A stream on a connection that is there now.
    pub async fn open_now(&self, node: NodeId, kind: Kind) -> PortResult<LaneStream> {
        let conn = self.table.best(&node).ok_or_else(|| away(node, "not linked"))?;
        let opened = self.open_on(&conn, kind, Instant::now() + OPEN).await;
        opened.map_err(|fault| away(node, fault.text()))
    }

    async fn open_on(&self, conn: &Arc<Conn>, kind: Kind, deadline: Instant) -> Result<LaneStream, Fault> {
        let left = deadline.saturating_duration_since(Instant::now());
        let others = self.table.of(&conn.node).len() > 1;
        let limit = if others { left.min(OPEN_ONE) } else { left };
        match timeout(limit, ask(conn, kind)).await {
            Ok(Ok(mut stream)) => {
                if kind == Kind::Frames {
                    // It is opened again elsewhere when its connection is let go.
                    stream.ignore_for_keep_alive();
                }
                Ok(LaneStream::new(stream, Arc::clone(conn), None))
            }
            Ok(Err(fault)) => Err(fault),
            Err(_) => {
                // When the queue is full the connection's own silence will tell.
                let _ = self.nudges.try_send(Nudge::Suspect(conn.id));
                Err(Fault::Broken("no answer in time".into()))
            }
        }
    }
}

async fn ask(conn: &Conn, kind: Kind) -> Result<libp2p::Stream, Fault> {
    let (answer, answered) = oneshot::channel();
    let gone = |_| Fault::Broken("the link broke".into());
    conn.requests.send(Request { kind, answer }).await.map_err(|_| gone(()))?;
    answered.await.map_err(|_| gone(()))?
}

/// The error for a node that cannot be reached.
pub fn away(node: NodeId, why: impl Into<String>) -> PortError {
    PortError::unavailable(format!("node {}", node.short()), why.into())
}
