//! `ikigai demo`: the main job on real parts, typed as a person would type it.

mod clean;
mod follow;
mod lab;
mod machine;
mod node;
mod programs;
mod project;
mod report;
mod seed;
mod trouble;

use crate::env::Env;
use crate::run::Outcome;
use clap::Args;
use ikigai_wire::api::{Code, Problem};
use machine::Machine;
use std::path::{Path, PathBuf};
use std::time::Instant;
use trouble::Trouble;

/// The most nodes of a demo.
const MOST_NODES: usize = 5;
/// Steps that are shown.
const STEPS: u32 = 6;

/// Runs a small feature from its spec to merged patches, on this machine alone or on several nodes
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  ikigai demo\n  ikigai demo --keep 0\n  ikigai demo --nodes 3\n  ikigai demo --clean"
)]
pub(crate) struct Demo {
    /// 1 keeps the node and one agent for you to look at; 0 removes everything it made
    #[arg(long, value_name = "0|1", env = "KEEP", default_value = "1", value_parser = ["0", "1"])]
    keep: String,
    /// Nodes, each in a network namespace of its own; one is killed while it works, another frozen
    #[arg(long, value_name = "N", env = "NODES", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=MOST_NODES as i64))]
    nodes: u8,
    /// Only remove what an earlier demo left
    #[arg(long)]
    clean: bool,
}

/// Where the demo keeps what it makes.
#[derive(Debug, Clone)]
struct Place {
    root: PathBuf,
}

impl Place {
    fn project(&self) -> PathBuf {
        self.root.join("textstats")
    }
    fn home(&self) -> PathBuf {
        self.root.join("node")
    }
    fn seed(&self) -> PathBuf {
        self.root.join("seed")
    }
    fn config(&self) -> PathBuf {
        self.root.join("ikigai.toml")
    }
    fn script(&self) -> PathBuf {
        self.root.join("model.toml")
    }
}

/// Tells people how far it is; plain lines, so that it reads the same in a file.
struct Progress {
    started: Instant,
    step: u32,
}

impl Progress {
    fn step(&mut self, text: &str) {
        self.step += 1;
        eprintln!("\n[{}/{STEPS}] {text}", self.step);
    }

    fn line(&self, text: &str) {
        eprintln!("  {:>4} s  {text}", self.started.elapsed().as_secs());
    }
}

impl Demo {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let place = Place { root: env.state_dir()?.join("demo") };
        clean::all(&place).await?;
        if self.clean {
            env.out.say("nothing of the demo is left");
            return Ok(0);
        }
        let outcome = self.all(&place).await;
        if self.keep == "0" {
            clean::all(&place).await?;
            eprintln!("\nEverything the demo made is removed; caches stay.");
        } else if outcome.is_err() {
            eprintln!(
                "\nWhat the demo made is kept in {}; ikigai demo --clean removes it.",
                place.root.display()
            );
        }
        outcome
    }

    async fn all(&self, place: &Place) -> Outcome {
        let programs = programs::find()?;
        if self.nodes > 1 {
            lab::check()?;
        }
        let mut progress = Progress { started: Instant::now(), step: 0 };
        eprintln!("The demo takes one to two minutes. It needs no account and no key.");
        let model = node::model();
        eprintln!("{}", model.words());

        progress.step("a Spec-Kit project with a feature of ten tasks");
        project::make(place, &programs).await?;
        progress.step("a second Radicle node, to see what the first one publishes");
        let seed = seed::start(place, &programs).await?;
        progress.step("this machine becomes a node");
        let count = usize::from(self.nodes);
        let links = (count > 1).then(|| lab::address(1));
        if count > 1 {
            lab::make(count).await?;
        }
        let node = node::start(place, &programs, &seed, &model, links).await?;
        let mut machines = Vec::new();
        for number in 2..=count {
            let machine = Machine::start(place, &programs, &model, number).await?;
            machine.join(&node.invite().await?).await?;
            machines.push(machine);
        }
        if count > 1 {
            node.until_all_are_there(count).await?;
            node.typed(&["node", "ls"]).await?;
        }
        let mut trouble = Trouble::plan(&machines);

        progress.step("the plan: waves, a node for each task with the reason, and what checks it");
        node.typed(&["plan"]).await?;
        progress.step("every task goes to the mesh; agents work, other containers check, the forge merges");
        node.typed(&["task", "new", "T009", "--linger", "2h"]).await?;
        node.typed(&["task", "new"]).await?;
        seed.follow(&node).await?;
        follow::until_done(&node, &progress, &mut trouble).await?;

        progress.step("what came of it");
        let told = (count > 1).then_some(&trouble);
        report::show(place, &node, &seed, &progress, (self.keep == "1", told)).await?;
        Ok(0)
    }
}

/// A step that could not be done, with what to do.
fn failed(what: &str, why: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Failed, format!("{what}: {why}"), "run: ikigai demo --clean, make setup, then again")
}

/// Runs a program to its end and answers its standard output; what it printed besides is the error.
async fn run(program: &Path, args: &[&str], folder: &Path, env: &[(&str, &str)]) -> Result<String, Problem> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).current_dir(folder).envs(env.iter().copied()).stdin(std::process::Stdio::null());
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let what = format!("{name} {}", args.first().copied().unwrap_or_default());
    let output = command.output().await.map_err(|e| failed(&what, e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<_> = said.lines().rev().take(5).collect();
    Err(failed(&what, last.into_iter().rev().collect::<Vec<_>>().join("\n")))
}
