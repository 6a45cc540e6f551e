//! `ikigai task new`

use crate::args::{Dry, Waiting};
use crate::commands::plan;
use crate::env::Env;
use crate::human::{Bytes, Cores, Span};
use crate::project::Project;
use crate::run::Outcome;
use crate::wait;
use clap::Args;
use ikigai_ports::NodeHandle;
use ikigai_types::{Preferences, Reconcile, Resources, Selector, Spread, Toleration, WorkloadClass};
use ikigai_wire::api::{
    Code, DisconnectOptions, Problem, SubmitRequest, SubmitSource, SubmitView, TaskOptions,
};
use ring::rand::{SecureRandom, SystemRandom};

/// Gives tasks to the mesh: every open one of the active feature, those named, or a new one in words
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai task new\n  ikigai task new T012 T013 --with-deps --wait\n  \
    ikigai task new \"Add a dark theme\" --story US2 --verify \"make test\"\n  \
    ikigai task new T014 --requires gpu=true --prefers region=eu --class ml\n  ikigai task new T015 --egress docs")]
pub(crate) struct New {
    /// Task ids (T012), or a text in quotes; nothing: every open task of the feature
    #[arg(value_name = "ID|TEXT")]
    what: Vec<String>,
    /// Also the open tasks that the ids depend on
    #[arg(long)]
    with_deps: bool,
    /// Story of a new task in words
    #[arg(long, value_name = "US1")]
    story: Option<String>,
    /// Marks a new task in words [P]: it touches files that no other task does
    #[arg(long)]
    parallel: bool,
    /// Feature (001-shop) in place of the active one
    #[arg(long, value_name = "FEATURE")]
    feature: Option<String>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    dry: Dry,
}

/// How the tasks are run; what is not said comes from the configuration.
#[derive(Debug, Args)]
#[command(next_help_heading = "How they are run")]
struct How {
    /// Check command in place of the project's (again for more)
    #[arg(long, value_name = "CMD")]
    verify: Vec<String>,
    /// Agent CLI (codex, command)
    #[arg(long)]
    adapter: Option<String>,
    /// Model provider
    #[arg(long)]
    provider: Option<String>,
    /// Model
    #[arg(long)]
    model: Option<String>,
    /// Tags a node must carry (gpu=true,region=eu)
    #[arg(long, value_name = "TAGS")]
    requires: Option<Selector>,
    /// A taint of a node that the tasks do not mind (gpu=true, spot, *; again for more)
    #[arg(long, value_name = "TAINT")]
    tolerates: Vec<Toleration>,
    /// Tags that are wished for, with points (disk=ssd,region=eu@300); nodes without them are not refused
    #[arg(long, value_name = "TAGS")]
    prefers: Option<Preferences>,
    /// Keep tasks of the feature apart: group:node, group:<tag>; as a wish with points: group:node@200
    #[arg(long, value_name = "WHAT")]
    spread: Vec<Spread>,
    /// Kind of work, for nodes that keep slots for some: agent, ci, ml, docs, security, observability, cache
    #[arg(long)]
    class: Option<WorkloadClass>,
    /// What goes first, -100 to 100, 0 is usual; above 0 it has attempts of lower priority ended to get room
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-100..=100))]
    priority: Option<i32>,
    /// Cores each task asks for (0.5, 2)
    #[arg(long)]
    cpu: Option<Cores>,
    /// Memory each task asks for (2GiB)
    #[arg(long)]
    memory: Option<Bytes>,
    /// Attempts at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: Option<u32>,
    /// Model calls of each attempt at most: one that makes more is ended
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_turns: Option<u64>,
    /// How long an agent stays for its editor after it is done (10m)
    #[arg(long, value_name = "TIME")]
    linger: Option<Span>,
    /// Entry of the node's [egress] that the agents may use (again for more; "" for none); docs/network.md says more
    #[arg(long, value_name = "NAME")]
    egress: Vec<String>,
    /// How long a node that goes silent may take to come back, beyond the end of its lease (5m)
    #[arg(long, value_name = "TIME")]
    lost_after: Option<Span>,
    /// Make no other attempt because a node went silent
    #[arg(long)]
    no_replace: bool,
    /// Which attempt is kept when the silent node comes back while another runs: keep_original,
    /// keep_replacement, best_score, longest_running
    #[arg(long, value_name = "WHICH")]
    reconcile: Option<Reconcile>,
    /// Go on although the model's price is not known
    #[arg(long)]
    allow_unknown_price: bool,
}

impl New {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let (project, source) = self.source(env)?;
        let request = SubmitRequest {
            project: project.text()?,
            source,
            options: self.how.options(),
            dry_run: self.dry.dry_run,
            idempotency_key: Some(random_key()),
            ..SubmitRequest::default()
        };
        let node = env.node()?;
        let answer = node.submit(request).await?;
        if self.dry.dry_run {
            plan::show(env, &answer.plan)?;
            return Ok(0);
        }
        show(env, &answer)?;
        if !self.waiting.wait {
            return Ok(0);
        }
        self.settled(&*node, env, &answer).await
    }

    async fn settled(&self, node: &dyn NodeHandle, env: &Env, answer: &SubmitView) -> Outcome {
        let limit = self.waiting.timeout.map(|s| s.0);
        let (tasks, good) = wait::until(node, &answer.accepted, limit, |board, t| board.outcome(t)).await?;
        if env.out.for_people() {
            env.out.list(tasks, env.now())?;
        }
        Ok(u8::from(!good))
    }

    /// What is asked for, and of which project.
    fn source(&self, env: &Env) -> Result<(Project, SubmitSource), Problem> {
        match self.words()? {
            Words::Text(text) => {
                let project = env.project().unwrap_or(Project { root: env.cwd.clone(), spec_kit: false });
                let (story, parallel) = (self.story.clone(), self.parallel);
                Ok((project, SubmitSource::Text { text, story, parallel }))
            }
            Words::Ids(ids) => {
                if self.story.is_some() || self.parallel {
                    let text = "--story and --parallel are for a new task in words";
                    return Err(Problem::new(
                        Code::Usage,
                        text,
                        "ikigai task new \"Add a dark theme\" --story US1",
                    ));
                }
                let (project, feature) = plan::place(env, self.feature.as_deref())?;
                Ok((project, SubmitSource::Feature { feature, ids, with_deps: self.with_deps }))
            }
        }
    }

    fn words(&self) -> Result<Words, Problem> {
        let ids = self.what.iter().flat_map(|w| w.split(',')).map(str::trim).filter(|w| !w.is_empty());
        let ids: Vec<_> = ids.map(id).collect();
        if ids.iter().all(|id| is_id(id)) {
            return Ok(Words::Ids(ids));
        }
        match &self.what[..] {
            [text] if text.trim().contains(char::is_whitespace) => Ok(Words::Text(text.trim().to_owned())),
            _ => {
                let wrong = self.what.iter().find(|w| !is_id(&id(w))).cloned().unwrap_or_default();
                let text = format!("`{wrong}` is neither a task id such as T012 nor a text of several words");
                Err(Problem::new(
                    Code::Usage,
                    text,
                    "put a new task in quotes: ikigai task new \"Add a dark theme\"",
                ))
            }
        }
    }
}

enum Words {
    Ids(Vec<String>),
    Text(String),
}

fn is_id(word: &str) -> bool {
    ikigai_speckit::TaskId::parse(word).is_some()
}

/// `t012a` as `T012a`.
fn id(word: &str) -> String {
    word.strip_prefix('t').map_or_else(|| word.to_owned(), |rest| format!("T{rest}"))
}

impl How {
    fn disconnect(&self) -> Option<DisconnectOptions> {
        let said = self.lost_after.is_some() || self.no_replace || self.reconcile.is_some();
        said.then(|| DisconnectOptions {
            lost_after_secs: self.lost_after.map(|s| s.0.as_secs()),
            replace: self.no_replace.then_some(false),
            reconcile: self.reconcile,
        })
    }

    /// `--egress ""` is none, whatever the configuration gives.
    fn egress(&self) -> Option<Vec<String>> {
        let named = self.egress.iter().filter(|name| !name.is_empty()).cloned().collect();
        (!self.egress.is_empty()).then_some(named)
    }

    fn options(&self) -> TaskOptions {
        let asks = self.cpu.is_some() || self.memory.is_some();
        let request = asks.then(|| Resources {
            cpu_millis: self.cpu.map_or(0, |c| c.0),
            memory_bytes: self.memory.map_or(0, |m| m.0),
            ..Resources::default()
        });
        TaskOptions {
            adapter: self.adapter.clone(),
            provider: self.provider.clone(),
            model: self.model.clone(),
            request,
            limits: None,
            requires: self.requires.clone(),
            tolerates: self.tolerates.clone(),
            prefers: self.prefers.clone(),
            class: self.class,
            priority: self.priority,
            spread: self.spread.clone(),
            max_attempts: self.max_attempts,
            max_turns: self.max_turns,
            linger_secs: self.linger.map(|s| s.0.as_secs()),
            verify: Some(self.verify.clone()).filter(|v| !v.is_empty()),
            disconnect: self.disconnect(),
            egress: self.egress(),
            allow_unknown_price: self.allow_unknown_price,
        }
    }
}

fn show(env: &Env, answer: &SubmitView) -> Result<(), Problem> {
    match env.out.format {
        crate::output::Format::Name => {
            env.out.lines(&answer.accepted.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        }
        _ if env.out.for_people() => {
            let plural = if answer.accepted.len() == 1 { "task" } else { "tasks" };
            let accepted: Vec<_> = answer.accepted.iter().map(ikigai_types::TaskId::short).collect();
            env.out.lines(&[match accepted.len() {
                0 => "nothing to do".to_owned(),
                n => format!("{n} {plural} accepted: {}", accepted.join(" ")),
            }])?;
        }
        _ => env.out.document("Submission", answer)?,
    }
    answer.plan.warnings.iter().for_each(|w| env.out.say(&format!("warning: {w}")));
    Ok(())
}

fn random_key() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("invariant: the kernel gives random bytes");
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
