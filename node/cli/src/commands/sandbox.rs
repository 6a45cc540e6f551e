//! `ikigai sandbox test`

use crate::clean::clean;
use crate::env::Env;
use crate::output::Show;
use crate::run::Outcome;
use clap::{Args, Subcommand};
use ikigai::{Config, Home};
use ikigai_ports::Executor;
use ikigai_ports::escape::{Probe, trial};
use ikigai_types::Timestamp;
use ikigai_wire::api::{Code, Problem};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What holds agents on this machine
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  ikigai sandbox test")]
pub(crate) enum Sandbox {
    Test(Test),
}

/// Tries the ways out of an agent's container: network, engine, files, devices, other agents, credentials
#[derive(Debug, Args)]
#[command(
    after_help = "A program runs as an agent would, with this node's executor, image and settings, and tries to reach\n\
    things that are really there. Takes some seconds and needs no node. Exits 1 when a way is open, or when\n\
    the container did not start: that is no pass.\n\n\
    Example:\n  ikigai sandbox test\n  ikigai sandbox test --json"
)]
pub(crate) struct Test {}

/// One way out, and how it ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Way {
    probe: String,
    result: Ended,
    detail: String,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Ended {
    /// As it must.
    Blocked,
    /// It got through, and the executor says itself that it does not hold this.
    NotHeld,
    /// It got through.
    Open,
}

impl Sandbox {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let Self::Test(test) = self;
        test.run(env).await
    }
}

impl Test {
    async fn run(self, env: &Env) -> Outcome {
        let wrong = |e: ikigai::ConfigError| {
            Problem::new(Code::Usage, super::up::chain(&e), "run: ikigai config explain")
        };
        let config = crate::settings::layers(env).and_then(|layers| layers.config()).map_err(wrong)?;
        let folder = Folder::make(&env.state_dir()?)?;
        let (executor, ways) = try_out(&config, &folder).await.map_err(|e| no_trial(&e))?;
        let open = ways.iter().filter(|w| w.result == Ended::Open).count();
        let text = format!("{} ways out were tried with {executor}; {open} are open", ways.len());
        env.out.list(ways, env.now())?;
        env.out.say(&text);
        Ok(u8::from(open > 0))
    }
}

async fn try_out(config: &Config, folder: &Folder) -> Result<(String, Vec<Way>), ikigai_ports::PortError> {
    let home = Home::new(folder.0.join("home"));
    let executor = ikigai::backends::executor(config, &home).await?;
    let probes = trial(&*executor, config.executor.image.clone(), &folder.0).await?;
    let ways = probes.into_iter().map(|probe| way(&*executor, probe)).collect();
    Ok((executor.isolation().name, ways))
}

fn way(executor: &dyn Executor, probe: Probe) -> Way {
    let result = match probe.blocked {
        true => Ended::Blocked,
        false if probe.excuse(executor).is_some() => Ended::NotHeld,
        false => Ended::Open,
    };
    Way { probe: probe.probe, result, detail: probe.detail }
}

fn no_trial(error: &ikigai_ports::PortError) -> Problem {
    let text = format!("the sandbox was not tried: {}", error.chain());
    Problem::new(Code::Failed, text, "run: ikigai doctor")
}

/// A folder for what the program is to reach, in the node's own: an engine that sees only that sees this too. It goes
/// when this does.
struct Folder(PathBuf);

impl Folder {
    fn make(home: &Path) -> Result<Self, Problem> {
        let path = home.join(format!("sandbox-test-{}", std::process::id()));
        let hint = "name a folder that this user may write with --home";
        let text = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
        std::fs::create_dir_all(&path).map_err(|e| Problem::new(Code::Failed, text(e), hint))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Show for Way {
    const KIND: &'static str = "Probe";

    fn name(&self) -> String {
        self.probe.clone()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["PROBE", "RESULT", "DETAIL"]
    }

    fn row(&self, _: bool, _: Timestamp) -> Vec<String> {
        let result = match self.result {
            Ended::Blocked => "blocked",
            Ended::NotHeld => "not held",
            Ended::Open => "OPEN",
        };
        vec![self.probe.clone(), result.to_owned(), clean(&self.detail).into_owned()]
    }
}
