//! `ikigai task logs`

use crate::agentlog::{Readable, Shown, gap};
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

/// What a task's agent said and did, line by line
#[derive(Debug, Args)]
#[command(after_help = "What the agent's CLI tells in JSON is shown in words; escape sequences and hidden \
    characters are taken out. --raw has each line as it was stored. A line that was lost is shown as a gap.\n\n\
    Example:\n  ikigai task logs -f T012\n  \
    ikigai task logs T012 --attempt 1 --from 200\n  ikigai task logs -f T012 --exit-status\n  ikigai task logs T012 --raw | jq .")]
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
    /// The stored lines, byte for byte
    #[arg(long, conflicts_with = "numbers")]
    raw: bool,
}

impl Logs {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.node()?;
        let task = resolve::task(&*node, env, &self.task).await?;
        let attempt = self.attempt(&task)?;
        let mut lines = node.logs(&attempt, self.from, self.follow).await?;
        let mut readable = Readable::default();
        while let Some(line) = lines.next().await {
            let line = match line {
                Ok(line) => line,
                Err(problem) => {
                    self.show(&env.out, readable.finish())?;
                    return Err(problem);
                }
            };
            match Form::of(&env.out, self.raw) {
                Form::Document => ndjson(&env.out, &line)?,
                Form::Raw if line.stream == "gap" => env.out.say(&gap(&line)),
                Form::Raw => env.out.lines(&[&line.text])?,
                Form::Readable => self.show(&env.out, readable.read(line))?,
            }
        }
        self.show(&env.out, readable.finish())?;
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

    fn show(&self, out: &Printer, shown: Vec<Shown>) -> Result<(), Problem> {
        let numbers = self.numbers || out.format == Format::Wide;
        for (entry, lines) in shown {
            let before = if numbers { format!("{:>6} {} ", entry.n, clock(entry.at)) } else { String::new() };
            let rest = " ".repeat(before.len());
            let mark = |i: usize| if i == 0 { &before } else { &rest };
            let lines: Vec<_> = lines.iter().enumerate().map(|(i, l)| format!("{}{l}", mark(i))).collect();
            out.lines(&lines)?;
        }
        Ok(())
    }
}

/// How lines are printed.
enum Form {
    Document,
    Raw,
    Readable,
}

impl Form {
    fn of(out: &Printer, raw: bool) -> Self {
        match out.format {
            Format::Json | Format::Ndjson | Format::Yaml => Self::Document,
            _ if raw => Self::Raw,
            _ => Self::Readable,
        }
    }
}

fn ndjson(out: &Printer, line: &LogEntry) -> Result<(), Problem> {
    Printer { format: Format::Ndjson, ..out.clone() }.document("LogLine", line)
}

/// The agent's exit code; an attempt that ended without one has failed.
async fn code(node: &dyn NodeHandle, attempt: &AttemptId) -> Outcome {
    let task = node.task(attempt.task.as_str()).await?;
    let code = task.attempts.iter().find(|a| a.id == *attempt).and_then(|a| a.exit_code);
    Ok(code.map_or(1, |c| u8::try_from(c).unwrap_or(1)))
}
