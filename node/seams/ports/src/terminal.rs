//! The terminals of agents, wherever they run, as a surface asks for them.

use crate::gate::Duplex;
use crate::node::Answer;
use async_trait::async_trait;
use std::fmt;

/// The way to every agent's terminal.
///
/// * A stream speaks [`ikigai_wire::terminal`]; its client says the first word.
/// * Who may type is decided by the node that runs the agent, for clients of all nodes.
/// * Dropping a stream ends nothing but the stream.
#[async_trait]
pub trait Terminals: fmt::Debug + Send + Sync + 'static {
    /// A stream to the terminal of `task`'s running agent, for `person`: everybody sees that name while they type.
    async fn attach(&self, task: &str, person: &str) -> Answer<Box<dyn Duplex>>;
}
