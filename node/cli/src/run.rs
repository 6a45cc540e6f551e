//! From arguments to an exit code.

use crate::args::{Cli, Global, wants_json};
use crate::env::Env;
use crate::output::Format;
use crate::{commands, completion};
use clap::Parser;
use clap::error::ErrorKind;
use ikigai_wire::api::{Code, Document, Problem};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// What a command ends with: its exit code, or the problem that says it.
pub(crate) type Outcome = Result<u8, Problem>;

/// Exit code when `plan` or `diff` finds something.
pub(crate) const DIFFERS: u8 = 9;
/// Exit code on Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

pub(crate) fn main() -> ExitCode {
    completion::answer_shell();
    let args: Vec<_> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage(&error, wants_json(&args))),
    };
    let json = cli.global.format() == Format::Json || cli.global.format() == Format::Ndjson;
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(interruptible(cli));
            runtime.shutdown_background();
            outcome
        }
        Err(e) => Err(Problem::plain(Code::Failed, format!("cannot start: {e}"))),
    };
    ExitCode::from(outcome.unwrap_or_else(|problem| {
        report(&problem, json);
        problem.code.exit_code()
    }))
}

/// Runs the command; Ctrl-C ends it, unless the command is the node itself, which ends in its own order.
async fn interruptible(cli: Cli) -> Outcome {
    let env = Env::of(&cli.global)?;
    if cli.command.ends_by_itself() {
        return commands::run(cli.command, &env).await;
    }
    // Heard from here on: one that came while the command takes the terminal would leave it taken.
    let failed = |e| Problem::plain(Code::Failed, format!("cannot hear Ctrl-C: {e}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        outcome = commands::run(cli.command, &env) => outcome,
        _ = interrupted.recv() => Ok(INTERRUPTED),
    }
}

/// Prints what clap has to say: help and version are data, mistakes are errors.
fn usage(error: &clap::Error, json: bool) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            0
        }
        _ if json => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            report(&Problem::new(Code::Usage, first, "run: ikigai help"), true);
            2
        }
        _ => {
            let _ = error.print();
            2
        }
    }
}

/// An error on stderr: two lines for people, or one document for programs.
pub(crate) fn report(problem: &Problem, json: bool) {
    let mut err = std::io::stderr().lock();
    if json {
        let document = serde_json::to_string(&Document::new("Error", problem)).unwrap_or_default();
        let _ = writeln!(err, "{document}");
        return;
    }
    let colour = err.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let (red, plain) = if colour { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
    let _ = writeln!(err, "{red}error:{plain} {}", crate::clean::clean(&problem.message));
    if let Some(hint) = &problem.hint {
        let _ = writeln!(err, "hint: {}", crate::clean::clean(hint));
    }
}

impl Global {
    /// How results are printed.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
    }
}
