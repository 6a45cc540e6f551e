//! `ikigai doctor`

use crate::env::Env;
use crate::output::Show;
use crate::run::Outcome;
use clap::Args;
use ikigai_types::Timestamp;
use ikigai_wire::api::Filter;
use serde::Serialize;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

/// Looks for what is missing or wrong, and says how to mend it
#[derive(Debug, Args)]
#[command(after_help = "Exits 1 when something fails.\n\nExample:\n  ikigai doctor\n  ikigai doctor --json")]
pub(crate) struct Doctor {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    /// What.
    pub(crate) name: &'static str,
    /// How it stands.
    pub(crate) status: Status,
    /// What was found.
    pub(crate) found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// Works, but less than it could.
    Warn,
    /// Does not work.
    Fail,
}

impl Show for Check {
    const KIND: &'static str = "Check";

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn head(_: bool) -> Vec<&'static str> {
        vec!["CHECK", "STATUS", "FOUND", "FIX"]
    }

    fn row(&self, _: bool, _: Timestamp) -> Vec<String> {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        vec![
            self.name.to_owned(),
            status.to_owned(),
            self.found.clone(),
            self.fix.clone().unwrap_or_default(),
        ]
    }
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), fix: None }
    }

    fn bad(name: &'static str, status: Status, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status, found: found.into(), fix: Some(fix.into()) }
    }
}

impl Doctor {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let mut checks = vec![state(env), git()];
        checks.extend(node(env).await);
        let failed = checks.iter().any(|c| c.status == Status::Fail);
        env.out.list(checks, env.now())?;
        Ok(u8::from(failed))
    }
}

fn state(env: &Env) -> Check {
    let dir = match env.state_dir() {
        Ok(dir) => dir,
        Err(p) => return Check::bad("state", Status::Fail, p.message, p.hint.unwrap_or_default()),
    };
    match std::fs::metadata(&dir) {
        Ok(meta) if meta.mode() & 0o077 != 0 => {
            let found = format!("{} is open to others", dir.display());
            Check::bad("state", Status::Warn, found, format!("run: chmod 700 {}", dir.display()))
        }
        Ok(_) => Check::ok("state", dir.display().to_string()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Check::ok("state", format!("{} is made by the first `ikigai up`", dir.display()))
        }
        Err(e) => {
            Check::bad("state", Status::Fail, format!("{}: {e}", dir.display()), "name another with --home")
        }
    }
}

fn git() -> Check {
    let out = Command::new("git").arg("--version").stdin(Stdio::null()).output();
    match out {
        Ok(out) if out.status.success() => {
            Check::ok("git", String::from_utf8_lossy(&out.stdout).trim().to_owned())
        }
        _ => Check::bad("git", Status::Fail, "git cannot be run", "install git"),
    }
}

async fn node(env: &Env) -> Vec<Check> {
    let none = Filter { states: vec!["-".into()], ..Filter::default() };
    let asked = async { env.node()?.snapshot(none).await };
    let snapshot = match asked.await {
        Ok(snapshot) => snapshot,
        Err(p) => return vec![Check::bad("node", Status::Fail, p.message, p.hint.unwrap_or_default())],
    };
    let Some(own) = snapshot.nodes.into_iter().find(|n| n.id == snapshot.node) else {
        return vec![Check::bad(
            "node",
            Status::Fail,
            "the node does not know itself",
            "run: ikigai down, then up",
        )];
    };
    let mut checks = vec![Check::ok("node", format!("{} {} answers", own.name, own.version))];
    let program = env!("CARGO_PKG_VERSION");
    if own.version != program {
        let found = format!("the node is {}, this program {program}", own.version);
        checks.push(Check::bad("version", Status::Warn, found, "run: ikigai down, then ikigai up"));
    }
    checks.push(if own.isolation_missing.is_empty() {
        Check::ok("isolation", format!("{} holds agents to every limit", own.executor))
    } else {
        let found = format!("{} does not isolate: {}", own.executor, own.isolation_missing.join(", "));
        Check::bad("isolation", Status::Warn, found, "install Docker, or accept what agents may do")
    });
    checks.push(if own.providers.is_empty() {
        Check::bad("model", Status::Warn, "no model provider", "set OPENAI_API_KEY, or configure a provider")
    } else {
        Check::ok("model", own.providers.join(", "))
    });
    checks
}
