//! `ikigai spec …`

mod extension;

use crate::clean::clean;
use crate::commands::plan;
use crate::env::Env;
use crate::output::Show;
use crate::run::{Outcome, report};
use clap::{Args, Subcommand};
use ikigai_speckit::{Document, Edge, Graph as TaskGraph, Parsed, TaskIdx, Warning, parse};
use ikigai_types::Timestamp;
use ikigai_wire::api::{Code, EdgeView, Problem};
use ikigai_wire::project::ActiveFeature;
use serde::Serialize;
use std::io::Read;

/// Largest tasks.md that is read, in bytes.
const MAX_FILE: u64 = 64 << 20;
/// Most mistakes that are listed.
const MAX_MISTAKES: usize = 20;

/// Specs: the task graph and what is done of it, read from tasks.md without a node
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai spec graph --dot | dot -Tsvg > graph.svg\n  ikigai spec status")]
pub(crate) enum Spec {
    Graph(Graph),
    Status(Status),
    Extension(extension::Extension),
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

/// How far each phase is
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai spec status")]
pub(crate) struct Status {
    /// A feature (001-shop) or a path to its tasks.md; without it, the active feature
    feature: Option<String>,
}

/// A task of the graph.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpecTask {
    id: String,
    wave: usize,
    done: bool,
    parallel: bool,
    story: Option<String>,
    after: Vec<EdgeView>,
    line: u32,
    title: String,
}

/// A phase.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpecPhase {
    phase: String,
    done: usize,
    tasks: usize,
    next: Vec<String>,
}

impl Spec {
    pub(crate) fn run(self, env: &Env) -> Outcome {
        match self {
            Self::Graph(g) => g.run(env),
            Self::Status(s) => s.run(env),
            Self::Extension(e) => e.run(env),
        }
    }
}

impl Graph {
    fn run(self, env: &Env) -> Outcome {
        let (document, graph) = read(env, self.feature.as_deref())?;
        if self.dot {
            env.out.raw(&graph.to_dot())?;
            return Ok(0);
        }
        let mut wave_of = vec![0; document.tasks.len()];
        for (n, wave) in graph.waves().iter().enumerate() {
            wave.iter().for_each(|i| wave_of[i.0] = n + 1);
        }
        let mut before: Vec<Vec<Edge>> = vec![Vec::new(); document.tasks.len()];
        graph.edges().into_iter().for_each(|e| before[e.to.0].push(e));
        let all = (0..document.tasks.len()).map(TaskIdx);
        let mut tasks: Vec<_> = all.map(|i| spec_task(&document, &before[i.0], i, wave_of[i.0])).collect();
        tasks.sort_by_key(|t| t.wave);
        env.out.list(tasks, env.now())?;
        Ok(0)
    }
}

impl Status {
    fn run(self, env: &Env) -> Outcome {
        let (document, graph) = read(env, self.feature.as_deref())?;
        let ready = graph.ready(|i| document.tasks[i.0].done);
        let phases = document.phases.iter().filter(|p| !p.tasks.is_empty()).map(|phase| SpecPhase {
            phase: phase
                .number
                .as_ref()
                .map_or_else(|| phase.title.clone(), |n| format!("{n}: {}", phase.title)),
            done: phase.tasks.iter().filter(|i| document.tasks[i.0].done).count(),
            tasks: phase.tasks.len(),
            next: phase
                .tasks
                .iter()
                .filter(|i| ready.contains(i))
                .map(|i| document.tasks[i.0].id.to_string())
                .collect(),
        });
        env.out.list(phases.collect(), env.now())?;
        Ok(0)
    }
}

fn spec_task(document: &Document, before: &[Edge], i: TaskIdx, wave: usize) -> SpecTask {
    let task = &document.tasks[i.0];
    let edge =
        |e: &Edge| EdgeView { task: document.tasks[e.from.0].id.to_string(), reason: e.reason.to_string() };
    SpecTask {
        id: task.id.to_string(),
        wave,
        done: task.done,
        parallel: task.parallel,
        story: task.story().map(|n| format!("US{n}")),
        after: before.iter().map(edge).collect(),
        line: task.line,
        title: task.description.clone(),
    }
}

/// The feature's tasks.md, read and without a mistake; guesses are told on stderr.
fn read(env: &Env, given: Option<&str>) -> Result<(Document, TaskGraph), Problem> {
    let (project, feature) = plan::place(env, given)?;
    let feature = match feature {
        Some(feature) => feature,
        None => active(&project.root.join(ActiveFeature::PATH))?,
    };
    let path = project.root.join(&feature).join("tasks.md");
    let shown = format!("{feature}/tasks.md");
    let Parsed { document, mut warnings, errors } = parse(&text(&path, &shown)?, &shown);
    if !errors.is_empty() {
        return Err(mistakes(env, &errors));
    }
    let graph = TaskGraph::build(&document).map_err(|errors| mistakes(env, &errors))?;
    warnings.extend(graph.warnings.iter().cloned());
    warnings.iter().for_each(|w: &Warning| env.out.say(&format!("warning: {w}")));
    Ok((document, graph))
}

/// The feature Spec-Kit has as the active one.
fn active(path: &std::path::Path) -> Result<String, Problem> {
    let hint = "name a feature: ikigai spec graph 001-shop";
    let none = |_| Problem::new(Code::Usage, "this checkout has no active Spec-Kit feature", hint);
    let text = std::fs::read_to_string(path).map_err(none)?;
    let active = ActiveFeature::parse(&text).map_err(|e| Problem::new(Code::Usage, e.to_string(), hint))?;
    Ok(active.feature_directory)
}

fn text(path: &std::path::Path, shown: &str) -> Result<String, Problem> {
    let missing = |e: std::io::Error| {
        let hint = "make it with your agent's Spec-Kit command: /speckit.tasks";
        Problem::new(Code::NotFound, format!("{shown} cannot be read: {e}"), hint)
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(missing)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(missing)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Problem::new(Code::Usage, format!("{shown} is larger than 64 MiB"), "split the feature"));
    }
    String::from_utf8(bytes).map_err(|e| {
        Problem::new(
            Code::Usage,
            format!("{shown} is not UTF-8 from byte {} on", e.utf8_error().valid_up_to()),
            "save it as UTF-8",
        )
    })
}

/// For people, all mistakes in order: all but the last are printed here, the last is the error. For programs,
/// the first.
fn mistakes(env: &Env, errors: &[ikigai_speckit::Error]) -> Problem {
    let problem = |e: &ikigai_speckit::Error| Problem::new(Code::Usage, e.to_string(), e.hint());
    let mut listed: Vec<_> = errors.iter().take(MAX_MISTAKES).map(problem).collect();
    if !env.out.for_people() {
        listed.truncate(1);
    }
    let last = listed.pop();
    listed.iter().for_each(|p| report(p, false));
    last.unwrap_or_else(|| Problem::plain(Code::Usage, "the file cannot be read"))
}

impl Show for SpecTask {
    const KIND: &'static str = "SpecTask";

    fn name(&self) -> String {
        self.id.clone()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["WAVE", "TASK", "BOX", "STORY", "AFTER", "TITLE"]
    }

    fn row(&self, wide: bool, _: Timestamp) -> Vec<String> {
        let edge = |e: &EdgeView| format!("{} ({})", e.task, e.reason);
        let after = self.after.iter().map(edge).collect::<Vec<_>>().join(", ");
        let mark = match (self.done, self.parallel) {
            (true, _) => "done",
            (false, true) => "open,P",
            (false, false) => "open",
        };
        let after = if wide { after } else { crate::fit::cut(&after, 40) };
        let title = clean(&self.title).into_owned();
        vec![
            self.wave.to_string(),
            self.id.clone(),
            mark.into(),
            self.story.clone().unwrap_or_default(),
            after,
            title,
        ]
    }
}

impl Show for SpecPhase {
    const KIND: &'static str = "SpecPhase";

    fn name(&self) -> String {
        self.phase.clone()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["DONE", "NEXT", "PHASE"]
    }

    fn row(&self, _: bool, _: Timestamp) -> Vec<String> {
        vec![format!("{}/{}", self.done, self.tasks), self.next.join(" "), self.phase.clone()]
    }
}
