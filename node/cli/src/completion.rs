//! Shell completion with live ids: the shell asks this program, this program asks the node.

use crate::args::Cli;
use crate::clean::clean;
use crate::contexts;
use clap::CommandFactory;
use clap_complete::{CompleteEnv, CompletionCandidate};
use ikigai_ports::NodeHandle;
use ikigai_remote::place;
use ikigai_wire::api::{Filter, Problem, Snapshot};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variable by which the shell says that it asks.
pub(crate) const VARIABLE: &str = "IKIGAI_COMPLETE";
/// How long a person who pressed Tab waits.
const PATIENCE: Duration = Duration::from_millis(800);

/// Answers and ends the program when a shell asks for completions; otherwise does nothing.
pub(crate) fn answer_shell() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

/// Tasks, with their titles.
pub(crate) fn tasks() -> Vec<CompletionCandidate> {
    let tasks = snapshot().map(|s| s.tasks).unwrap_or_default();
    let help = |text: String| Some(clean(&text).into_owned().into());
    tasks
        .into_iter()
        .map(|t| CompletionCandidate::new(t.short).help(help(format!("{}: {}", t.state, t.title))))
        .collect()
}

/// Nodes, by name.
pub(crate) fn nodes() -> Vec<CompletionCandidate> {
    let nodes = snapshot().map(|s| s.nodes).unwrap_or_default();
    nodes.into_iter().map(|n| CompletionCandidate::new(n.name)).collect()
}

/// Contexts, by name.
pub(crate) fn contexts() -> Vec<CompletionCandidate> {
    let names = contexts::load().map(|c| c.contexts.into_keys().collect::<Vec<_>>()).unwrap_or_default();
    std::iter::once(contexts::LOCAL.to_owned()).chain(names).map(CompletionCandidate::new).collect()
}

/// What the node shows; nothing at all when it does not answer at once.
fn snapshot() -> Option<Snapshot> {
    let asked = std::env::var("IKIGAI_CONTEXT").ok();
    let node = contexts::load().ok()?.open(asked.as_deref(), socket).ok()?;
    let project =
        std::env::current_dir().ok().and_then(|d| crate::project::find(&d)).and_then(|p| p.text().ok());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let asking = async { node.snapshot(Filter { project, ..Filter::default() }).await };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, asking).await }).ok()?.ok()
}

fn socket() -> Result<PathBuf, Problem> {
    let root = rustix::process::geteuid().is_root();
    let dir = place::state_dir(None, root, |name| std::env::var_os(name)).unwrap_or_default();
    let is_named = std::env::var_os("IKIGAI_HOME").is_some();
    Ok(place::socket(&dir, is_named, Path::new(place::SHARED)))
}
