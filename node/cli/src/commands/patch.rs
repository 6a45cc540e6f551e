//! `ikigai patch …`

use crate::args::{Dry, Waiting};
use crate::clean::clean;
use crate::completion::tasks;
use crate::env::Env;
use crate::run::Outcome;
use crate::wait::Board;
use crate::{resolve, views, wait};
use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use ikigai_wire::api::{Code, Command, Filter, PatchItem, PatchView, Problem, TaskView};

/// Patches: look, comment, accept, reject
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai patch ls\n  ikigai patch diff T012\n  ikigai patch accept T012")]
pub(crate) enum Patch {
    #[command(visible_alias = "list")]
    Ls(Ls),
    Show(Show),
    Diff(Diff),
    Comment(Comment),
    Accept(Accept),
    Reject(Reject),
}

/// Lists patches, each VERIFIED, WITH-GAPS or NOT
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai patch ls\n  ikigai patch ls --all -o wide")]
pub(crate) struct Ls {
    /// Of every project, and merged ones too
    #[arg(short, long)]
    all: bool,
}

/// What a patch touches, and what its verdict stands on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai patch show T012")]
pub(crate) struct Show {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
}

/// A patch as a unified diff
#[derive(Debug, Args)]
#[command(
    after_help = "Exits 9 when it changes something, 0 when not.\n\nExample:\n  ikigai patch diff T012 | less"
)]
pub(crate) struct Diff {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
}

/// Comments on a patch
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai patch comment T012 \"please cover the empty cart\"")]
pub(crate) struct Comment {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
    /// The comment
    text: String,
    #[command(flatten)]
    dry: Dry,
}

/// Merges patches and ticks their boxes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai patch accept T012\n  ikigai patch accept T012 --force")]
pub(crate) struct Accept {
    /// T012, 001-shop/T012 or a whole id
    #[arg(required = true, value_name = "TASK", add = ArgValueCandidates::new(tasks))]
    tasks: Vec<String>,
    /// Also when the verdict is NOT
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    dry: Dry,
}

/// Refuses a patch
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai patch reject T012 --reason \"breaks the old API\" --retry")]
pub(crate) struct Reject {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
    /// Why; the next attempt is told
    #[arg(long)]
    reason: String,
    /// Start another attempt
    #[arg(long)]
    retry: bool,
    #[command(flatten)]
    dry: Dry,
}

impl Patch {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        match self {
            Self::Ls(c) => c.run(env).await,
            Self::Show(c) => c.run(env).await,
            Self::Diff(c) => c.run(env).await,
            Self::Comment(c) => c.run(env).await,
            Self::Accept(c) => c.run(env).await,
            Self::Reject(c) => c.run(env).await,
        }
    }
}

impl Ls {
    async fn run(self, env: &Env) -> Outcome {
        let project = env.project().filter(|_| !self.all).and_then(|p| p.text().ok());
        let tasks = env.node()?.snapshot(Filter { project, ..Filter::default() }).await?.tasks;
        let open = |t: &TaskView| self.all || t.patch.as_ref().is_some_and(|p| p.merged.is_none());
        let items: Vec<_> = tasks.into_iter().filter(open).filter_map(item).collect();
        if items.is_empty() && env.out.for_people() {
            env.out.say("no open patches");
            return Ok(0);
        }
        env.out.list(items, env.now())?;
        Ok(0)
    }
}

impl Show {
    async fn run(self, env: &Env) -> Outcome {
        let task = resolve::task(&*env.node()?, env, &self.task).await?;
        let title = clean(&format!("{}  {}", task.short, task.title)).into_owned();
        let (short, state) = (task.short.clone(), views::state(&task));
        let item = item(task).ok_or_else(|| no_patch(&short))?;
        env.out.one(&item, || {
            let lines = views::patch_lines(&item.patch).into_iter().map(|l| format!("  {l}"));
            [title, format!("  {state}")].into_iter().chain(lines).collect()
        })?;
        Ok(0)
    }
}

impl Diff {
    async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        let task = resolve::task(&*node, env, &self.task).await?;
        let diff = node.diff(&task.id).await?;
        let shown = if env.out.terminal {
            diff.split('\n').map(|l| clean(l).into_owned()).collect::<Vec<_>>().join("\n")
        } else {
            diff
        };
        env.out.raw(&shown)?;
        Ok(if shown.trim().is_empty() { 0 } else { crate::run::DIFFERS })
    }
}

impl Comment {
    async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        let task = resolve::task(&*node, env, &self.task).await?;
        if self.dry.dry_run {
            env.out.lines(&[format!("would comment on {}", task.short)])?;
            return Ok(0);
        }
        let task = node.command(&task.id, Command::Comment { body: self.text }).await?;
        env.out.one(&task, || vec![format!("commented on {}", task.short)])?;
        Ok(0)
    }
}

impl Accept {
    async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        let mut found = Vec::new();
        for name in &self.tasks {
            found.push(resolve::task(&*node, env, name).await?);
        }
        if self.dry.dry_run {
            let verdict = |t: &TaskView| {
                t.patch.as_ref().and_then(|p| p.verdict.clone()).unwrap_or("no verdict".into())
            };
            let line =
                |t: &TaskView| format!("would merge {} ({}, {})", t.short, views::state(t), verdict(t));
            env.out.lines(&found.iter().map(line).collect::<Vec<_>>())?;
            return Ok(0);
        }
        let mut done = Vec::new();
        for task in &found {
            done.push(node.command(&task.id, Command::Accept { force: self.force }).await?);
        }
        let mut good = true;
        if self.waiting.wait {
            let ids: Vec<_> = found.iter().map(|t| t.id.clone()).collect();
            let verdict = |board: &Board<'_>, t: &TaskView| match t.state.as_str() {
                "review" => None,
                "accepted" => Some(true),
                _ => board.outcome(t).map(|_| false),
            };
            (done, good) = wait::until(&*node, &ids, self.waiting.timeout.map(|s| s.0), verdict).await?;
        }
        match &done[..] {
            [task] => env.out.one(task, || vec![merged(task)])?,
            _ => env.out.list(done, env.now())?,
        }
        Ok(u8::from(!good))
    }
}

impl Reject {
    async fn run(self, env: &Env) -> Outcome {
        if self.reason.trim().is_empty() {
            return Err(Problem::new(
                Code::Usage,
                "the reason is empty",
                "say what the next attempt should know",
            ));
        }
        let node = env.node()?;
        let task = resolve::task(&*node, env, &self.task).await?;
        if self.dry.dry_run {
            env.out.lines(&[format!("would reject the patch of {}", task.short)])?;
            return Ok(0);
        }
        let command = Command::Reject { reason: self.reason, retry: self.retry };
        let task = node.command(&task.id, command).await?;
        env.out.one(&task, || vec![format!("{} is {}", task.short, views::state(&task))])?;
        Ok(0)
    }
}

fn merged(task: &TaskView) -> String {
    let commit = task.patch.as_ref().and_then(|p| p.merged.as_deref()).unwrap_or_default();
    let commit = commit.get(..12).unwrap_or(commit);
    if commit.is_empty() {
        format!("{} is {}", task.short, views::state(task))
    } else {
        format!("{} is {}, merged as {commit}", task.short, views::state(task))
    }
}

fn item(task: TaskView) -> Option<PatchItem> {
    let patch: PatchView = task.patch?;
    Some(PatchItem { task: task.id, short: task.short, title: task.title, state: task.state, patch })
}

fn no_patch(short: &str) -> Problem {
    Problem::new(Code::NotFound, format!("{short} has no patch yet"), format!("run: ikigai task why {short}"))
}
