//! `ikigai node …`

mod drain;

pub(crate) use drain::until_empty;

use crate::args::Dry;
use crate::completion::nodes;
use crate::env::Env;
use crate::run::Outcome;
use crate::views;
use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use ikigai_ports::NodeHandle;
use ikigai_wire::api::{Code, Filter, NodeCommand, NodeView, Problem};

/// Nodes: look, hold back work, take out
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai node ls\n  ikigai node drain server --grace 60s")]
pub(crate) enum Node {
    Ls(Ls),
    Show(Show),
    Cordon(Cordon),
    Uncordon(Uncordon),
    Drain(drain::Drain),
    Remove(super::remove::Remove),
}

/// Lists nodes and what they have free
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai node ls -o wide\n  ikigai nodes --json")]
pub(crate) struct Ls {}

/// Everything about a node
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai node show server")]
pub(crate) struct Show {
    /// Its name or the beginning of its id; nothing: this one
    #[arg(add = ArgValueCandidates::new(nodes))]
    node: Option<String>,
}

/// Gives a node no new work
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai node cordon server")]
pub(crate) struct Cordon {
    /// Its name or the beginning of its id
    #[arg(add = ArgValueCandidates::new(nodes))]
    node: String,
    #[command(flatten)]
    dry: Dry,
}

/// Gives a node work again
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai node uncordon server")]
pub(crate) struct Uncordon {
    /// Its name or the beginning of its id
    #[arg(add = ArgValueCandidates::new(nodes))]
    node: String,
    #[command(flatten)]
    dry: Dry,
}

impl Node {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        match self {
            Self::Ls(c) => c.run(env).await,
            Self::Show(c) => c.run(env).await,
            Self::Cordon(c) => steer(env, &c.node, NodeCommand::Cordon, c.dry).await,
            Self::Uncordon(c) => steer(env, &c.node, NodeCommand::Uncordon, c.dry).await,
            Self::Remove(c) => c.run(env).await,
            Self::Drain(c) => c.run(env).await,
        }
    }
}

impl Ls {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        env.out.list(all(&*env.node()?).await?.0, env.now())?;
        Ok(0)
    }
}

impl Show {
    async fn run(self, env: &Env) -> Outcome {
        let (nodes, own) = all(&*env.node()?).await?;
        let node = match &self.node {
            Some(given) => pick(given, nodes)?,
            None => nodes.into_iter().find(|n| n.id == own).ok_or_else(|| missing("this node"))?,
        };
        env.out.one(&node, || views::node(&node, env.now()))?;
        Ok(0)
    }
}

async fn steer(env: &Env, given: &str, command: NodeCommand, dry: Dry) -> Outcome {
    let handle = env.node()?;
    let node = pick(given, all(&*handle).await?.0)?;
    if dry.dry_run {
        env.out.lines(&[format!("would {} {}", verb(&command), node.name)])?;
        return Ok(0);
    }
    let node = handle.steer(&node.id, command).await?;
    let text = if node.cordoned { "takes no new work" } else { "takes work" };
    env.out.one(&node, || vec![format!("{} {text}", crate::clean::clean(&node.name))])?;
    Ok(0)
}

fn verb(command: &NodeCommand) -> &'static str {
    match command {
        NodeCommand::Cordon => "cordon",
        NodeCommand::Uncordon => "uncordon",
        NodeCommand::Drain { .. } => "drain",
    }
}

async fn all(handle: &dyn NodeHandle) -> Result<(Vec<NodeView>, ikigai_types::NodeId), Problem> {
    let none = Filter { states: vec!["-".into()], ..Filter::default() };
    let snapshot = handle.snapshot(none).await?;
    Ok((snapshot.nodes, snapshot.node))
}

/// The node called `given`, by its name or by eight digits or more of its id.
fn pick(given: &str, nodes: Vec<NodeView>) -> Result<NodeView, Problem> {
    let fits = |n: &NodeView| n.name == given || (given.len() >= 8 && n.id.to_string().starts_with(given));
    let mut found: Vec<_> = nodes.into_iter().filter(fits).collect();
    match found.len() {
        1 => found.pop().ok_or_else(|| missing(given)),
        0 => Err(missing(given)),
        _ => {
            let ids: Vec<_> = found.iter().map(|n| n.id.to_string()).collect();
            let text = format!("`{given}` is more than one node: {}", ids.join(", "));
            Err(Problem::new(Code::Usage, text, "use one of these ids"))
        }
    }
}

fn missing(given: &str) -> Problem {
    let given: String = given.chars().take(80).collect();
    Problem::new(Code::NotFound, format!("there is no node `{given}`"), "run: ikigai node ls")
}
