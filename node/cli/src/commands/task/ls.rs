//! `ikigai task ls`

use crate::env::Env;
use crate::output::{Format, Printer};
use crate::run::Outcome;
use crate::views;
use crate::wait::{PATIENCE, patiently};
use clap::Args;
use futures::StreamExt;
use ikigai_ports::NodeHandle;
use ikigai_types::TaskId;
use ikigai_wire::api::{Code, Event, Filter, Problem, TaskView};
use std::collections::HashMap;
use std::time::Duration;

/// How often ages are drawn anew on a terminal.
const REDRAW: Duration = Duration::from_secs(1);

/// Lists tasks
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ikigai task ls --watch\n  ikigai task ls --state review,failed -o wide\n  \
    ikigai task ls -o name"
)]
pub(crate) struct Ls {
    /// Go on showing what changes, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
    /// Only in these states (running,review)
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    state: Vec<String>,
    /// Only of this feature
    #[arg(long, value_name = "FEATURE")]
    feature: Option<String>,
    /// Of every project, not only of this one
    #[arg(short, long)]
    all: bool,
}

impl Ls {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        if self.watch {
            return self.watching(&*node, env).await;
        }
        let tasks = node.snapshot(self.filter(env)).await?.tasks;
        if tasks.is_empty() && env.out.for_people() {
            env.out.say(if self.all { "no tasks" } else { "no tasks here; run: ikigai task new" });
            return Ok(0);
        }
        env.out.list(tasks, env.now())?;
        Ok(0)
    }

    fn filter(&self, env: &Env) -> Filter {
        let project = env.project().filter(|_| !self.all).and_then(|p| p.text().ok());
        let feature =
            self.feature.as_ref().map(|f| f.trim_end_matches('/').rsplit('/').next().unwrap_or(f).to_owned());
        Filter { project, feature, states: self.state.clone() }
    }

    async fn watching(&self, node: &dyn NodeHandle, env: &Env) -> Outcome {
        let mut shown = if env.out.terminal && env.out.for_people() {
            Shown::Screen(Screen::default())
        } else {
            Shown::Lines(HashMap::new())
        };
        let mut patience = Duration::ZERO;
        loop {
            let snapshot = patiently(patience, || node.snapshot(self.filter(env))).await?;
            patience = PATIENCE;
            shown.snapshot(env, &snapshot.tasks)?;
            let mut events = patiently(patience, || node.events(Some(snapshot.cursor.clone()))).await?;
            let mut beat = tokio::time::interval(REDRAW);
            loop {
                let event = tokio::select! {
                    event = events.next() => event,
                    _ = beat.tick(), if shown.is_screen() => {
                        shown.snapshot(env, &snapshot.tasks)?;
                        continue;
                    }
                };
                match event {
                    Some(Ok(_)) if shown.is_screen() => break,
                    Some(Ok(event)) if shown.knows(&event) && self.wants(&event) => {
                        shown.event(env, &event)?
                    }
                    // A task that was not there: whether it is of this project, the snapshot says.
                    Some(Ok(event)) if !shown.knows(&event) && self.wants(&event) => break,
                    Some(Ok(event)) => shown.note(&event),
                    Some(Err(p)) if p.code == Code::Conflict => break,
                    Some(Err(p)) => return Err(p),
                    None => {
                        return Err(Problem::new(Code::Unreachable, "the node stopped", "run: ikigai up"));
                    }
                }
            }
        }
    }

    fn wants(&self, event: &Event) -> bool {
        self.state.is_empty() || self.state.contains(&event.state)
    }
}

/// What the reader has seen: a picture that is drawn over, or lines that only grow.
#[derive(Debug)]
enum Shown {
    Screen(Screen),
    /// The state that was last printed of each task.
    Lines(HashMap<TaskId, String>),
}

impl Shown {
    fn is_screen(&self) -> bool {
        matches!(self, Self::Screen(_))
    }

    fn knows(&self, event: &Event) -> bool {
        matches!(self, Self::Lines(states) if states.contains_key(&event.task))
    }

    /// Draws all, or prints what is not as it was printed last.
    fn snapshot(&mut self, env: &Env, tasks: &[TaskView]) -> Result<(), Problem> {
        let states = match self {
            Self::Screen(screen) => return screen.draw(env, tasks),
            Self::Lines(states) => states,
        };
        let news = |t: &&TaskView| states.get(&t.id) != Some(&t.state);
        let news: Vec<_> = tasks.iter().filter(news).cloned().collect();
        let first = states.is_empty();
        states.extend(news.iter().map(|t| (t.id.clone(), t.state.clone())));
        match env.out.format {
            Format::Table | Format::Wide if !first => {
                env.out.lines(&news.iter().map(views::turn).collect::<Vec<_>>())
            }
            Format::Json | Format::Yaml => news.iter().try_for_each(|t| compact(env).document("Task", t)),
            _ => env.out.list(news, env.now()),
        }
    }

    fn event(&mut self, env: &Env, event: &Event) -> Result<(), Problem> {
        self.note(event);
        match env.out.format {
            Format::Table | Format::Wide => env.out.lines(&[views::event(event)]),
            Format::Name => env.out.lines(&[event.task.to_string()]),
            _ => compact(env).document("Event", event),
        }
    }

    fn note(&mut self, event: &Event) {
        if let Self::Lines(states) = self
            && let Some(state) = states.get_mut(&event.task)
        {
            state.clone_from(&event.state);
        }
    }
}

/// A stream of documents has one on each line.
fn compact(env: &Env) -> Printer {
    Printer { format: Format::Ndjson, ..env.out.clone() }
}

/// What stands on the terminal, to be drawn over.
#[derive(Debug, Default)]
struct Screen {
    lines: usize,
}

impl Screen {
    fn draw(&mut self, env: &Env, tasks: &[TaskView]) -> Result<(), Problem> {
        let mut lines = env.out.table(tasks, env.now()).lines(env.out.width());
        lines.push(summary(tasks));
        // What would scroll off the top could not be drawn over.
        let height = env.out.height();
        if lines.len() >= height {
            let hidden = lines.len() + 1 - height;
            lines.drain(1..=hidden);
        }
        let up = if self.lines > 0 { format!("\u{1b}[{}A", self.lines) } else { String::new() };
        let text: String = lines.iter().map(|l| format!("{l}\u{1b}[K\n")).collect();
        self.lines = lines.len();
        env.out.raw(&format!("{up}{text}\u{1b}[J"))
    }
}

/// `3 running, 1 review`.
fn summary(tasks: &[TaskView]) -> String {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    tasks.iter().for_each(|t| *counts.entry(&t.state).or_default() += 1);
    let parts: Vec<_> = counts.iter().map(|(state, n)| format!("{n} {state}")).collect();
    if parts.is_empty() { "no tasks".into() } else { parts.join(", ") }
}
