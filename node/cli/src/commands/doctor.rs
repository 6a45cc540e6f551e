//! `ikigai doctor`

mod checks;

use crate::env::Env;
use crate::output::{Format, Show};
use crate::run::Outcome;
use clap::Args;
use ikigai_types::Timestamp;
use serde::Serialize;

/// Looks for what is missing or wrong, and says how to mend it
#[derive(Debug, Args)]
#[command(after_help = "Exits 1 when something fails.\n\nExample:\n  ikigai doctor\n  ikigai doctor --json")]
pub(crate) struct Doctor {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    /// What.
    name: &'static str,
    /// How it stands.
    status: Status,
    /// What was found.
    found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// As it should be.
    Ok,
    /// Works, but less than it could.
    Warn,
    /// Does not work.
    Fail,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

impl Doctor {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let checks = checks::all(env).await;
        let failed = checks.iter().any(|c| c.status == Status::Fail);
        if env.out.format == Format::Table {
            env.out.lines(&checks.iter().flat_map(Check::text).collect::<Vec<_>>())?;
        } else {
            env.out.list(checks, env.now())?;
        }
        Ok(u8::from(failed))
    }
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), fix: None }
    }

    fn warn(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    fn fail(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: Status::Fail, ..Self::warn(name, found, fix) }
    }

    /// What was found, and below it what to do.
    fn text(&self) -> Vec<String> {
        let found = crate::clean::clean(&self.found).into_owned();
        let found = format!("{:<6}{:<11}{found}", self.status.word(), self.name);
        let fix = self.fix.as_ref().map(|fix| format!("{:<17}-> {}", "", crate::clean::clean(fix)));
        std::iter::once(found).chain(fix).collect()
    }
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
        let fix = self.fix.clone().unwrap_or_default();
        vec![self.name.to_owned(), self.status.word().to_owned(), self.found.clone(), fix]
    }
}
