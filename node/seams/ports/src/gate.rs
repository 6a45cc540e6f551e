//! The one way out of an agent's container, as the runtime opens and closes it.

use crate::PortResult;
use async_trait::async_trait;
use ikigai_types::{Egress, Fence, Usage};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// A byte stream into a workload.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One gate per attempt: a Unix socket that the container sees and nothing else does.
///
/// * A gate is opened again over the same folder after a restart, and counts on from `spent`.
/// * What an attempt used is counted from the upstream's own figures.
/// * What is neither a model call nor listed in [`GatePolicy::egress`] is refused, and told as
///   [`GateEvent::Denied`].
#[async_trait]
pub trait Gates: fmt::Debug + Send + Sync + 'static {
    /// Listens on `folder/gateway.sock` for the attempt called `agent`; idempotent by `fence`.
    async fn open(&self, fence: &Fence, agent: &str, folder: &Path, policy: GatePolicy) -> PortResult<()>;

    /// Ends the gate and its connections, and answers what the attempt used in all. Idempotent.
    /// [`crate::PortError::NotFound`] when it was never open in this process: nothing was used since then.
    async fn close(&self, fence: &Fence) -> PortResult<Usage>;

    /// A stream to the editor inside the workload called `agent`; agentd starts the editor when it is the
    /// first. [`crate::PortError::NotFound`] when no such gate is open.
    async fn dial_editor(&self, agent: &str) -> PortResult<Box<dyn Duplex>>;

    /// A stream to the terminal inside the workload of `fence`, which speaks [`ikigai_wire::terminal`]; agentd
    /// starts a shell when it is the first. [`crate::PortError::NotFound`] when no such gate is open.
    async fn dial_terminal(&self, fence: &Fence) -> PortResult<Box<dyn Duplex>>;

    /// Whether somebody has the editor of `fence`'s workload open.
    fn has_editor_open(&self, fence: &Fence) -> bool;

    /// Asks agentd inside `fence`'s workload to do something.
    async fn tell(&self, fence: &Fence, order: GateOrder) -> PortResult<()>;
}

/// What an attempt may do through its gate.
#[derive(Debug, Clone)]
pub struct GatePolicy {
    /// Name of the model provider its calls go to; empty for an agent that calls none.
    pub provider: String,
    /// What it may reach beside its model, as far as this node lists it too.
    pub egress: Egress,
    /// Where the gate tells what happens.
    pub events: mpsc::Sender<(Fence, GateEvent)>,
    /// What the attempt had used before this gate was opened.
    pub spent: Usage,
}

/// What a gate tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateEvent {
    /// A model call ended; `total` is the attempt's use so far.
    Used {
        /// Use of the attempt so far.
        total: Usage,
    },
    /// Something not allowed was tried.
    Denied {
        /// Method, path or host, and why, cleaned of control characters, at most 200 characters.
        what: String,
    },
    /// The provider's quota is used up.
    Quota {
        /// Seconds until it resets, when the provider said so.
        retry_after: Option<u64>,
    },
    /// The provider cannot be reached or refused the credential.
    Upstream {
        /// What it said.
        what: String,
    },
}

/// What agentd can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateOrder {
    /// End now, also when told to linger.
    Finish,
    /// A person types: model calls wait, and so does the word that the agent has ended. Good until
    /// [`GateOrder::Release`], also for an agentd that connects later.
    Hold,
    /// Nobody types any more.
    Release,
}

/// One-time links to an agent's editor.
pub trait EditorLinks: fmt::Debug + Send + Sync + 'static {
    /// A link to the editor of the workload called `agent`; works once, within a minute.
    fn mint(&self, agent: &str) -> String;

    /// Ties a link that was not used to whom it is for: it works for as long as `holder` may have it, and so does
    /// what it opens. A link of somebody else's is left as it is.
    fn tie(&self, link: &str, holder: Arc<dyn Holder>);
}

/// Whom something was given that goes on.
pub trait Holder: fmt::Debug + Send + Sync + 'static {
    /// Whether they may still have it. Asked often: it waits for nothing.
    fn may(&self) -> bool;
}
