//! `ikigai task stop|pause|resume|retry|adopt`

use crate::args::{Dry, Waiting};
use crate::completion::tasks;
use crate::env::Env;
use crate::resolve;
use crate::run::Outcome;
use crate::wait::Board;
use crate::{views, wait};
use clap::Args;
use clap_complete::ArgValueCandidates;
use ikigai_wire::api::{Command, Problem, TaskView};

/// Which tasks, and how to go about it.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// T012, 001-shop/T012 or a whole id
    #[arg(required = true, value_name = "TASK", add = ArgValueCandidates::new(tasks))]
    tasks: Vec<String>,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    dry: Dry,
}

/// Ends tasks; work that is not pushed is saved first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai task stop T012 T013\n  ikigai task stop T012 --dry-run")]
pub(crate) struct Stop {
    #[command(flatten)]
    which: Which,
}

/// Holds tasks where they are
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai task pause T012")]
pub(crate) struct Pause {
    #[command(flatten)]
    which: Which,
}

/// Lets paused tasks go on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai task resume T012")]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
}

/// Starts a new attempt of failed, lost, rejected or stopped tasks
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai task retry T012 --wait --timeout 30m")]
pub(crate) struct Retry {
    #[command(flatten)]
    which: Which,
}

/// Makes this node the owner of tasks whose owner is gone
#[derive(Debug, Args)]
#[command(
    after_help = "What the old owner still does is refused from then on. Nodes that share an arbiter ask it \
    whether the owner is gone ([arbiter] in ikigai.toml); without one, a person says so with --force.\n\n\
    Example:\n  ikigai task adopt T012\n  ikigai task adopt T012 --force"
)]
pub(crate) struct Adopt {
    #[command(flatten)]
    which: Which,
    /// Yes, although the owner may come back, or is there as far as the arbiter knows
    #[arg(long)]
    force: bool,
}

impl Stop {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        act(env, &self.which, "stop", &Command::Stop).await
    }
}

impl Pause {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        act(env, &self.which, "pause", &Command::Pause).await
    }
}

impl Resume {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        act(env, &self.which, "resume", &Command::Resume).await
    }
}

impl Retry {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        act(env, &self.which, "retry", &Command::Retry).await
    }
}

impl Adopt {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        act(env, &self.which, "adopt", &Command::Adopt { force: self.force }).await
    }
}

/// Resolves every name before the first command is sent, so that a typo changes nothing.
async fn act(env: &Env, which: &Which, verb: &str, command: &Command) -> Outcome {
    let node = env.node()?;
    let mut tasks = Vec::new();
    for name in &which.tasks {
        tasks.push(resolve::task(&*node, env, name).await?);
    }
    if which.dry.dry_run {
        let line = |t: &TaskView| format!("would {verb} {} ({})", t.short, views::state(t));
        env.out.lines(&tasks.iter().map(line).collect::<Vec<_>>())?;
        return Ok(0);
    }
    let mut done = Vec::new();
    for task in &tasks {
        done.push(node.command(&task.id, command.clone()).await?);
    }
    let mut good = true;
    if which.waiting.wait {
        let ids: Vec<_> = done.iter().map(|t| t.id.clone()).collect();
        let limit = which.waiting.timeout.map(|s| s.0);
        (done, good) = wait::until(&*node, &ids, limit, |board, t| reached(command, board, t)).await?;
    }
    show(env, done)?;
    Ok(u8::from(!good))
}

/// Whether what `command` is for came true, or cannot any more.
fn reached(command: &Command, board: &Board<'_>, task: &TaskView) -> Option<bool> {
    let aim = match command {
        Command::Stop => "cancelled",
        Command::Pause => "paused",
        Command::Resume => "running",
        _ => return board.outcome(task),
    };
    if task.state == aim { Some(true) } else { board.outcome(task).map(|_| false) }
}

/// One task as itself, several as a list.
pub(crate) fn show(env: &Env, done: Vec<TaskView>) -> Result<(), Problem> {
    match &done[..] {
        [task] => env.out.one(task, || vec![format!("{} is {}", task.short, views::state(task))]),
        _ => env.out.list(done, env.now()),
    }
}
