//! `ikigai place explain`

use super::plan;
use crate::completion::tasks;
use crate::env::Env;
use crate::human::span;
use crate::run::Outcome;
use crate::{resolve, views};
use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use ikigai_ports::NodeHandle;
use ikigai_types::Timestamp;
use ikigai_wire::api::{Code, PlacementView, Problem, TaskView};
use serde::Serialize;

/// Why a task runs where it runs
#[derive(Debug, Subcommand)]
#[command(after_help = "For a whole feature, before anything runs: ikigai plan\n\n\
    Example:\n  ikigai place explain T012")]
pub(crate) enum Place {
    Explain(Explain),
}

/// Every node with its score, or with what refused it, for one task
#[derive(Debug, Args)]
#[command(
    after_help = "Of a task that was placed, what was said then; of one that waits for room, what was said last; of\n\
    any other open task, what would be said now. A score is between 0 and 1000.\n\n\
    Example:\n  ikigai place explain T012\n  ikigai place explain 001-shop/T012 --json"
)]
pub(crate) struct Explain {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
}

/// What placement said, and when.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    task: String,
    /// The attempt that was placed; none when it is about now.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    placement: Vec<PlacementView>,
}

impl Place {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let Self::Explain(explain) = self;
        explain.run(env).await
    }
}

impl Explain {
    async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        let task = match resolve::task(&*node, env, &self.task).await {
            Err(problem) if problem.code == Code::NotFound => None,
            found => Some(found?),
        };
        let said = match task.as_ref().and_then(kept) {
            Some(said) => said,
            None => foreseen(&*node, env, &self.task, task.as_ref()).await?,
        };
        env.out.other("Placement", &said, || {
            let mut lines = vec![said.head(env)];
            lines.extend(views::placement(&said.placement).lines(env.out.width()));
            lines
        })?;
        Ok(0)
    }
}

impl Said {
    fn head(&self, env: &Env) -> String {
        let chosen = self.placement.iter().find(|p| p.chosen).map(|p| p.name.as_str());
        let text = match (self.attempt, self.at, chosen) {
            (Some(n), Some(at), Some(node)) => {
                format!("{} attempt {n} was placed on {node} {} ago", self.task, span(env.now().since(at)))
            }
            (_, _, Some(node)) => format!("{} would go to {node} now", self.task),
            (_, _, None) => format!("no node takes {} now", self.task),
        };
        crate::clean::clean(&text).into_owned()
    }
}

/// What the mesh keeps of it: of the wait for a node, or of the newest attempt.
fn kept(task: &TaskView) -> Option<Said> {
    let name = task.short.clone();
    if !task.placement.is_empty() {
        return Some(Said { task: name, attempt: None, at: None, placement: task.placement.clone() });
    }
    let last = task.attempts.last().filter(|a| !a.placement.is_empty())?;
    let (attempt, at) = (Some(last.id.number), Some(last.started_at));
    Some(Said { task: name, attempt, at, placement: last.placement.clone() })
}

/// What a plan says of it.
async fn foreseen(
    node: &dyn NodeHandle,
    env: &Env,
    given: &str,
    task: Option<&TaskView>,
) -> Result<Said, Problem> {
    let (feature, short) = given.rsplit_once('/').map_or((None, given), |(f, s)| (Some(f), s));
    let (feature, short) = task.map_or((feature, short), |t| (Some(t.feature.as_str()), t.short.as_str()));
    let (project, feature) = plan::place(env, feature)?;
    let tasks = plan::foresee(node, &project, feature).await?.tasks;
    let found = tasks.into_iter().find(|t| t.short.eq_ignore_ascii_case(short) && !t.placement.is_empty());
    let none = || {
        let text = format!("there is nothing to place for `{}`", given.chars().take(80).collect::<String>());
        Problem::new(Code::NotFound, text, "run: ikigai plan, or: ikigai task ls --all")
    };
    let found = found.ok_or_else(none)?;
    Ok(Said { task: found.short, attempt: None, at: None, placement: found.placement })
}
