//! `ikigai plan`

use crate::env::Env;
use crate::fit::cut;
use crate::human::bound;
use crate::output::Format;
use crate::project::Project;
use crate::run::{DIFFERS, Outcome};
use crate::table::Table;
use clap::Args;
use ikigai_ports::NodeHandle;
use ikigai_wire::api::{Code, PlanView, PlannedTask, Problem, SubmitRequest, SubmitSource};
use std::path::Path;

/// Shows what `task new` would do: waves, the node for each task with the reason, checks, cost
#[derive(Debug, Args)]
#[command(after_help = "Exits 9 when there is something to do, 0 when not. Changes nothing.\n\n\
    Example:\n  ikigai plan\n  ikigai plan 001-shop -o wide\n  ikigai plan specs/001-shop/tasks.md --json")]
pub(crate) struct Plan {
    /// A feature (001-shop) or a path to its tasks.md; without it, the active feature
    #[arg(value_name = "FEATURE")]
    feature: Option<String>,
    /// The same, as `task new` takes it
    #[arg(long = "feature", value_name = "FEATURE", conflicts_with = "feature", hide = true)]
    named: Option<String>,
}

impl Plan {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let (project, feature) = place(env, self.feature.or(self.named).as_deref())?;
        let plan = foresee(&*env.node()?, &project, feature).await?;
        show(env, &plan)?;
        Ok(if plan.tasks.iter().any(is_new) { DIFFERS } else { 0 })
    }
}

/// What `task new` would do with every open task of a feature.
pub(crate) async fn foresee(
    node: &dyn NodeHandle,
    project: &Project,
    feature: Option<String>,
) -> Result<PlanView, Problem> {
    let source = SubmitSource::Feature { feature, ids: Vec::new(), with_deps: false };
    let request =
        SubmitRequest { project: project.text()?, source, dry_run: true, ..SubmitRequest::default() };
    Ok(node.submit(request).await?.plan)
}

/// The project and its feature that `given` names; the shell's `SPECIFY_FEATURE_DIRECTORY` goes before the
/// node's own reading of the active feature, because the node does not see the shell. A project with one feature
/// and none that is active means that one.
pub(crate) fn place(env: &Env, given: Option<&str>) -> Result<(Project, Option<String>), Problem> {
    let hint = "go to a folder with .specify, or make one: specify init .";
    let none = || Problem::new(Code::NotFound, "there is no Spec-Kit project here", hint);
    let file = given.filter(|g| g.contains('/')).map(|g| env.cwd.join(g)).filter(|p| p.exists());
    let from = file.as_deref().and_then(Path::parent).unwrap_or(&env.cwd);
    let project = crate::project::find(from).filter(|p| p.spec_kit).ok_or_else(none)?;
    let active = std::env::var("SPECIFY_FEATURE_DIRECTORY").ok().filter(|f| !f.is_empty());
    let named = given.map(str::to_owned).or(active).or_else(|| project.only_feature());
    let feature = named.map(|f| project.feature(&f, &env.cwd)).transpose()?;
    Ok((project, feature))
}

/// Prints a plan.
pub(crate) fn show(env: &Env, plan: &PlanView) -> Result<(), Problem> {
    if env.out.format == Format::Name {
        let names = plan.tasks.iter().filter(|t| is_new(t)).map(|t| t.short.clone());
        env.out.lines(&names.collect::<Vec<_>>())?;
    } else {
        print(env, plan)?;
    }
    plan.warnings.iter().for_each(|w| env.out.say(&format!("warning: {w}")));
    Ok(())
}

fn print(env: &Env, plan: &PlanView) -> Result<(), Problem> {
    env.out.other("Plan", plan, || lines(plan, env.out.format == Format::Wide, env.out.width()))
}

fn is_new(task: &PlannedTask) -> bool {
    task.state == "new"
}

fn lines(plan: &PlanView, wide: bool, width: Option<usize>) -> Vec<String> {
    let new: Vec<_> = plan.tasks.iter().filter(|t| is_new(t)).collect();
    if new.is_empty() {
        let feature = if plan.feature.is_empty() { "this project" } else { &plan.feature };
        return vec![format!("{feature}: nothing to do")];
    }
    let waves = new.iter().map(|t| t.wave).collect::<std::collections::BTreeSet<_>>().len();
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let (tasks, waves) = (plural(new.len(), "new task"), plural(waves, "wave"));
    let mut out = vec![format!("{}: {tasks} in {waves}, {}", plan.feature, price(&new))];
    out.extend(table(plan, wide).lines(width));
    for task in new.iter().filter(|t| t.node.is_none()) {
        let reasons = task.placement.iter().map(|p| format!("{}: {}", p.name, p.reason));
        let text = format!("{} has no node: {}", task.short, reasons.collect::<Vec<_>>().join("; "));
        out.push(crate::clean::clean(&text).into_owned());
    }
    out
}

/// `at most $0.50`, as far as that is known.
fn price(new: &[&PlannedTask]) -> String {
    let known: Vec<u64> = new.iter().filter_map(|t| t.cost_limit).collect();
    let sum = bound(Some(known.iter().copied().fold(0, u64::saturating_add)));
    match new.len() - known.len() {
        0 => format!("at most {sum}"),
        n if n == new.len() => "cost unknown".to_owned(),
        n => format!("at most {sum}, and the unknown cost of {n}"),
    }
}

fn table(plan: &PlanView, wide: bool) -> Table {
    let mut table =
        Table::new(&["WAVE", "TASK", "STATE", "NODE", "REASON", "VERIFY", "COST", "AFTER", "TITLE"]);
    let mut tasks: Vec<_> = plan.tasks.iter().collect();
    tasks.sort_by_key(|t| t.wave);
    for task in tasks {
        let chosen = task.placement.iter().find(|p| p.chosen);
        let fit = |text: String, most: usize| if wide { text } else { cut(&text, most) };
        let edge = |e: &ikigai_wire::api::EdgeView| {
            if wide { format!("{} ({})", e.task, e.reason) } else { e.task.clone() }
        };
        table.row(vec![
            task.wave.to_string(),
            task.short.clone(),
            task.state.clone(),
            task.node.clone().unwrap_or_default(),
            fit(chosen.filter(|_| task.node.is_some()).map(|p| p.reason.clone()).unwrap_or_default(), 28),
            fit(task.verify.join("; "), 20),
            bound(task.cost_limit),
            fit(task.after.iter().map(edge).collect::<Vec<_>>().join(" "), 20),
            task.title.clone(),
        ]);
    }
    table
}
