//! The terminals of agents that run here: every client, from whichever node it comes, is judged by one lock.

mod attach;
mod desk;
mod session;

pub(crate) use desk::Change;

use crate::Parts;
use crate::host::Host;
use crate::view::agent_label;
use desk::Desk;
use ikigai_ports::gate::Duplex;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Fence, Writer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes on their way between a client of this node and its session.
const PIPE: usize = 64 << 10;

/// The terminals of this machine's agents. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Terminals {
    parts: Parts,
    host: Host,
    desks: Arc<Mutex<HashMap<Fence, Arc<Desk>>>>,
}

impl Terminals {
    pub(crate) fn new(parts: &Parts, host: &Host) -> Self {
        Self { parts: parts.clone(), host: host.clone(), desks: Arc::default() }
    }

    /// A stream to the terminal of `agent`, for a client of this node.
    pub(crate) fn open(&self, agent: &str, writer: Writer) -> Box<dyn Duplex> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (this, agent) = (self.clone(), agent.to_owned());
        tokio::spawn(async move {
            if let Err(error) = this.serve(&agent, writer, Box::new(ours)).await {
                tracing::debug!(agent, error = error.chain(), "a terminal's stream ended");
            }
        });
        Box::new(theirs)
    }

    /// Serves a client of `agent`'s terminal until it goes, or the agent does.
    pub(crate) async fn serve(&self, agent: &str, writer: Writer, stream: Box<dyn Duplex>) -> PortResult<()> {
        let fence = self.host.fences().into_iter().filter(|f| agent_label(f) == agent).max();
        let Some(fence) = fence else {
            return session::refuse(stream, "no such agent is running").await;
        };
        let inside = match self.parts.gates.dial_terminal(&fence).await {
            Ok(inside) => inside,
            Err(error @ (PortError::NotFound(_) | PortError::Unavailable { .. })) => {
                return session::refuse(stream, &error.chain()).await;
            }
            Err(error) => return Err(error),
        };
        let desk = self.desk(&fence);
        let served = session::serve(&desk, writer, stream, inside).await;
        self.tidy();
        served
    }

    fn desk(&self, fence: &Fence) -> Arc<Desk> {
        let new = || Arc::new(Desk::new(fence.clone(), self.parts.clock.clone(), self.host.clone()));
        self.desks().entry(fence.clone()).or_insert_with(new).clone()
    }

    /// Forgets terminals that nobody looks at and nobody types in.
    fn tidy(&self) {
        self.desks().retain(|_, desk| Arc::strong_count(desk) > 1 || desk.is_held());
    }

    fn desks(&self) -> MutexGuard<'_, HashMap<Fence, Arc<Desk>>> {
        self.desks.lock().expect("invariant: no panic while it is held")
    }
}
