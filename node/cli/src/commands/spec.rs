//! `ikigai spec …`

use crate::env::Env;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use ikigai_wire::api::{Code, Problem};

/// Specs: the task graph and what is done of it, read from tasks.md without a node
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai spec graph --dot | dot -Tsvg > graph.svg\n  ikigai spec status")]
pub(crate) enum Spec {
    Graph(Graph),
    Status(Status),
}

/// The tasks in waves, with what each waits for and why
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai spec graph specs/001-shop --dot")]
pub(crate) struct Graph {
    /// A feature (001-shop) or a path to its tasks.md; without it, the active feature
    feature: Option<String>,
    /// As a Graphviz graph
    #[arg(long)]
    dot: bool,
}

/// How far each phase and story is
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai spec status")]
pub(crate) struct Status {
    /// A feature (001-shop) or a path to its tasks.md; without it, the active feature
    feature: Option<String>,
}

impl Spec {
    pub(crate) fn run(self, _env: &Env) -> Outcome {
        let _ = match self {
            Self::Graph(g) => (g.feature, g.dot),
            Self::Status(s) => (s.feature, false),
        };
        Err(Problem::plain(Code::Failed, "this build cannot read tasks.md"))
    }
}
