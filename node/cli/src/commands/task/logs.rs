//! `ikigai task logs`

use crate::clean::clean;
use crate::completion::tasks;
use crate::env::Env;
use crate::human::clock;
use crate::output::{Format, Printer};
use crate::resolve;
use crate::run::Outcome;
use clap::Args;
use clap_complete::ArgValueCandidates;
use futures::StreamExt;
use ikigai_ports::NodeHandle;
use ikigai_types::AttemptId;
use ikigai_wire::api::{Code, LogEntry, Problem, TaskView};

/// What a task's agent printed, line by line
#[derive(Debug, Args)]
#[command(after_help = "A line that was lost is shown as a gap. On a terminal, escape sequences and hidden \
    characters are taken out.\n\nExample:\n  ikigai task logs -f T012\n  \
    ikigai task logs T012 --attempt 1 --from 200\n  ikigai task logs -f T012 --exit-status")]
pub(crate) struct Logs {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
    /// Go on until the attempt has ended
    #[arg(short, long)]
    follow: bool,
    /// Which attempt; without it, the newest
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// First line wanted
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: u64,
    /// End with the agent's exit code
    #[arg(long, requires = "follow")]
    exit_status: bool,
    /// Number and time before each line
    #[arg(short, long)]
    numbers: bool,
}

impl Logs {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        let task = resolve::task(&*node, env, &self.task).await?;
        let attempt = self.attempt(&task)?;
        let mut lines = node.logs(&attempt, self.from, self.follow).await?;
        while let Some(line) = lines.next().await {
            self.print(&env.out, &line?)?;
        }
        if self.exit_status { code(&*node, &attempt).await } else { Ok(0) }
    }

    fn attempt(&self, task: &TaskView) -> Result<AttemptId, Problem> {
        let short = &task.short;
        let wanted = |n: &u32| task.attempts.iter().any(|a| a.id.number == *n);
        let number = match self.attempt {
            Some(n) => Some(n).filter(wanted).ok_or_else(|| {
                let text = format!("{short} has no attempt {n}");
                Problem::new(Code::NotFound, text, format!("run: ikigai task show {short}"))
            })?,
            None => task.attempts.last().map(|a| a.id.number).ok_or_else(|| {
                let text = format!("{short} has not been tried yet");
                Problem::new(Code::NotFound, text, format!("run: ikigai task why {short}"))
            })?,
        };
        Ok(AttemptId { task: task.id.clone(), number })
    }

    fn print(&self, out: &Printer, line: &LogEntry) -> Result<(), Problem> {
        if !matches!(out.format, Format::Table | Format::Wide | Format::Name) {
            return Printer { format: Format::Ndjson, ..out.clone() }.document("LogLine", line);
        }
        if line.stream == "gap" {
            let last = line.text.parse::<u64>().map_or(line.n, |k| line.n + k.saturating_sub(1));
            return out.lines(&[format!("[gap: {} lines missing, {} to {last}]", clean(&line.text), line.n)]);
        }
        let text = if out.terminal { clean(&line.text) } else { line.text.as_str().into() };
        let numbers = self.numbers || out.format == Format::Wide;
        let before = if numbers { format!("{:>6} {} ", line.n, clock(line.at)) } else { String::new() };
        out.lines(&[format!("{before}{text}")])
    }
}

/// The agent's exit code; an attempt that ended without one has failed.
async fn code(node: &dyn NodeHandle, attempt: &AttemptId) -> Outcome {
    let task = node.task(attempt.task.as_str()).await?;
    let code = task.attempts.iter().find(|a| a.id == *attempt).and_then(|a| a.exit_code);
    Ok(code.map_or(1, |c| u8::try_from(c).unwrap_or(1)))
}
