//! `ikigai cost`

use crate::env::Env;
use crate::human::{cost, count};
use crate::output::{Format, Show};
use crate::project::Project;
use crate::run::Outcome;
use clap::Args;
use ikigai_remote::CostOf;
use ikigai_types::{MicroUsd, Timestamp};
use ikigai_wire::api::{Code, CostBy, CostGroup, Problem};

/// What agents used, by user, project, task, attempt or node
#[derive(Debug, Args)]
#[command(
    after_help = "Tokens and money are those that the gates of the agents counted; agents that still run are in it.\n\
    ~ before a cost: that of some calls is unknown, the rest costs this much.\n\n\
    Example:\n  ikigai cost\n  ikigai cost --by project --user alice\n  ikigai cost --by attempt --feature 001-shop --json"
)]
pub(crate) struct Cost {
    /// Sum by user, project, task, attempt or node
    #[arg(long, value_name = "WHAT", default_value = "user", value_parser = parsed)]
    by: CostBy,
    /// Only of tasks that this user submitted (alice, or alice@laptop)
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only of this feature
    #[arg(long, value_name = "FEATURE")]
    feature: Option<String>,
    /// Only of the project of this folder
    #[arg(long)]
    here: bool,
}

fn here(env: &Env) -> Result<Project, Problem> {
    let hint = "go to a folder of one, or leave --here out";
    env.project().ok_or_else(|| Problem::new(Code::NotFound, "there is no project here", hint))
}

fn parsed(text: &str) -> Result<CostBy, String> {
    text.parse().map_err(|e: ikigai_wire::api::InvalidCostBy| e.to_string())
}

impl Cost {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let project = if self.here { Some(here(env)?.text()?) } else { None };
        let feature =
            self.feature.map(|f| f.trim_end_matches('/').rsplit('/').next().unwrap_or(&f).to_owned());
        let of = CostOf { user: self.user, project, feature };
        let view = env.remote()?.cost(self.by, of).await?;
        match env.out.format {
            Format::Json | Format::Yaml => env.out.document("Cost", &view)?,
            Format::Table | Format::Wide if view.groups.is_empty() => env.out.say("nothing was used yet"),
            Format::Table | Format::Wide => {
                let rows: Vec<_> = view.groups.into_iter().chain([view.total]).collect();
                env.out.lines(&env.out.table(&rows, env.now()).lines(env.out.width()))?;
            }
            Format::Name | Format::Ndjson => env.out.list(view.groups, env.now())?,
        }
        Ok(0)
    }
}

impl Show for CostGroup {
    const KIND: &'static str = "CostGroup";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["COST", "CALLS", "READ", "WRITTEN", "TASKS", "TRIES", "RUNNING", "OF"]
    }

    fn row(&self, _: bool, _: Timestamp) -> Vec<String> {
        let used = &self.usage;
        let tokens = [used.input_tokens, used.output_tokens].map(count);
        let counts = [self.tasks, self.attempts, self.running].map(|n| n.to_string());
        let row = [money(self), used.calls.to_string()].into_iter().chain(tokens).chain(counts);
        row.chain([self.name.clone()]).collect()
    }
}

/// What it cost; with a mark when that is not all.
fn money(group: &CostGroup) -> String {
    match (group.usage.cost, group.known) {
        (None, MicroUsd(1..)) => format!("~{}", group.known),
        _ => cost(&group.usage),
    }
}
