//! `ikigai task show` and `ikigai task why`

use crate::completion::tasks;
use crate::env::Env;
use crate::run::Outcome;
use crate::{resolve, views};
use clap::Args;
use clap_complete::ArgValueCandidates;
use serde::Serialize;

/// Everything about a task: attempts, placement, patch, cost
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai task show T012\n  ikigai task show 001-shop/T012 --json")]
pub(crate) struct Show {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
}

/// Why a task is where it is, and what to do about it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai task why T014\n  ikigai task why T014 --json")]
pub(crate) struct Why {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
}

impl Show {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let task = resolve::task(&*env.node()?, env, &self.task).await?;
        env.out.one(&task, || views::task(&task, env.now()))?;
        Ok(0)
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cause<'a> {
    task: &'a str,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    why: &'a ikigai_wire::api::WhyView,
}

impl Why {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let task = resolve::task(&*env.node()?, env, &self.task).await?;
        let cause = Cause {
            task: task.id.as_str(),
            state: &task.state,
            reason: task.reason.as_deref(),
            why: &task.why,
        };
        let text = || {
            let lines = [Some(format!("{} {}", task.short, task.why.text)), task.why.hint.clone()];
            lines.into_iter().flatten().map(|l| crate::clean::clean(&l).into_owned()).collect()
        };
        env.out.other("Why", &cause, text)?;
        Ok(0)
    }
}
