//! `ikigai node drain`

use super::{all, missing, pick};
use crate::args::Dry;
use crate::clean::clean;
use crate::completion::nodes;
use crate::env::Env;
use crate::human::{Span, span};
use crate::run::Outcome;
use clap::Args;
use clap_complete::ArgValueCandidates;
use ikigai_ports::NodeHandle;
use ikigai_types::NodeId;
use ikigai_wire::api::{Code, NodeCommand, NodeView, Problem};
use std::time::Duration;

/// How often it is looked whether the node is empty: nothing tells it when another node's count changes.
const LOOK: Duration = Duration::from_millis(250);
/// How long agents may take, beyond the grace, to end and to have their work saved.
const ENDING: Duration = Duration::from_secs(60);

/// Empties a node: no new work, and what runs there goes on elsewhere
#[derive(Debug, Args)]
#[command(
    after_help = "Agents may still run for the grace. Those that are not done by then are ended, what they have \
    is saved, and their tasks go on from there on other nodes; it counts as nobody's fault. The node stays \
    empty until: ikigai node uncordon\n\nExample:\n  ikigai node drain server --grace 5m\n  \
    ikigai node drain server --no-wait"
)]
pub(crate) struct Drain {
    /// Its name or the beginning of its id
    #[arg(add = ArgValueCandidates::new(nodes))]
    node: String,
    /// How long agents may still run
    #[arg(long, value_name = "TIME", default_value = "30s")]
    grace: Span,
    /// Do not wait until the node is empty
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    dry: Dry,
}

impl Drain {
    pub(super) async fn run(self, env: &Env) -> Outcome {
        let handle = env.node()?;
        let node = pick(&self.node, all(&*handle).await?.0)?;
        if self.dry.dry_run {
            env.out.lines(&[format!("would drain {}", clean(&node.name))])?;
            return Ok(0);
        }
        let mut node = handle.steer(&node.id, NodeCommand::Drain { grace: self.grace.0.as_secs() }).await?;
        if !self.no_wait {
            node = until_empty(&*handle, node.id, self.grace.0).await?;
        }
        let text = match node.running {
            0 => "is empty and takes no new work".to_owned(),
            n => format!("takes no new work; {n} still run there, {} at most", span(self.grace.0)),
        };
        env.out.one(&node, || vec![format!("{} {text}", clean(&node.name))])?;
        Ok(0)
    }
}

/// The node once nothing runs there; [`Code::TimedOut`] when that does not come about.
pub(crate) async fn until_empty(
    handle: &dyn NodeHandle,
    id: NodeId,
    grace: Duration,
) -> Result<NodeView, Problem> {
    let mut left = 0;
    let empty = async {
        loop {
            let node = all(handle).await?.0.into_iter().find(|n| n.id == id).ok_or_else(|| missing("it"))?;
            // What is known of another node may be from before it was asked.
            if node.draining && node.running == 0 {
                return Ok(node);
            }
            left = node.running;
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(grace + ENDING, empty).await {
        Ok(node) => node,
        Err(_) => {
            let text = format!("{left} attempts are still there");
            let hint = "what they made waits there for an owner that is away; run: ikigai node show";
            Err(Problem::new(Code::TimedOut, text, hint))
        }
    }
}
