//! While agents work: one line for each thing worth seeing, and a person's part played by the demo.

use super::node::DemoNode;
use super::trouble::Trouble;
use super::{Progress, failed};
use futures::StreamExt as _;
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Command, Event, Problem, TaskView};
use std::collections::BTreeSet;
use std::time::Duration;

/// The whole demo takes two minutes; a machine ten times slower still gets through.
const LIMIT: Duration = Duration::from_secs(1800);

/// Accepts what is verified until there is nothing left that goes on by itself.
pub(super) async fn until_done(
    node: &DemoNode,
    progress: &Progress,
    trouble: &mut Trouble,
) -> Result<(), Problem> {
    let followed = tokio::time::timeout(LIMIT, follow(node, progress, trouble)).await;
    followed.unwrap_or_else(|_| Err(failed("the demo", "is not done after half an hour")))
}

async fn follow(node: &DemoNode, progress: &Progress, trouble: &mut Trouble) -> Result<(), Problem> {
    let mut events = node.handle.events(None).await?;
    let mut ticked = BTreeSet::new();
    eprintln!();
    while let Some(event) = events.next().await {
        let event = event?;
        if let Some(text) = worth_seeing(&event) {
            progress.line(&format!("{:<5} {text}", event.task.short()));
        }
        let gaps = trouble.is_planned() && event.text.starts_with("WITH-GAPS");
        if event.what == "verified" && (gaps || event.text.starts_with("VERIFIED")) {
            accept(node, &event, progress).await?;
        }
        let tasks = node.tasks().await?;
        trouble.on(&event, &tasks, (node, progress)).await?;
        if event.what == "ticked" {
            progress.line(&remaining(&tasks, progress));
            ticked.insert(event.task);
        }
        // What is accepted is ticked soon after; nothing that is still to be told is left out.
        let told = |t: &TaskView| t.state != "accepted" || ticked.contains(&t.id);
        let undecided = |t: &TaskView| gaps_left(t) && trouble.is_planned();
        if tasks.iter().all(|t| is_done(t, &tasks) && told(t) && !undecided(t)) && trouble.is_over() {
            return Ok(());
        }
    }
    Err(failed("the demo", "the node ended"))
}

/// Nothing more happens to it unless a person does something.
fn is_done(task: &TaskView, all: &[TaskView]) -> bool {
    let ended = matches!(task.state.as_str(), "accepted" | "failed" | "lost" | "cancelled");
    ended || gaps_left(task) || waits_in_vain(task, all)
}

/// Something it waits for is not going to be accepted by itself.
fn waits_in_vain(task: &TaskView, all: &[TaskView]) -> bool {
    let parents = all.iter().filter(|t| task.depends_on.contains(&t.id));
    task.state == "waiting" && parents.into_iter().any(|t| t.state != "accepted" && is_done(t, all))
}

/// A person has to decide about it.
fn gaps_left(task: &TaskView) -> bool {
    let verdict = task.patch.as_ref().and_then(|p| p.verdict.as_deref());
    task.state == "review" && verdict == Some("WITH-GAPS")
}

async fn accept(node: &DemoNode, event: &Event, progress: &Progress) -> Result<(), Problem> {
    progress.line(&format!("{:<5} $ ikigai patch accept {}", event.task.short(), event.task.short()));
    match node.handle.command(&event.task, Command::Accept { force: false }).await {
        Ok(_) => Ok(()),
        // It does not merge any more, or was accepted by hand: the events that follow tell.
        Err(problem) if problem.code == ikigai_wire::api::Code::Conflict => Ok(()),
        Err(problem) => Err(problem),
    }
}

fn worth_seeing(event: &Event) -> Option<String> {
    let attempt = event.attempt.map(|a| format!("attempt {a}")).unwrap_or_default();
    Some(match event.what.as_str() {
        "granted" => event.text.clone(),
        "started" => format!("{attempt}: {}", short_id(&event.text)),
        "ended" => format!("{attempt}: {}", event.text),
        "patch-opened" => short_id(&event.text),
        "verified" if event.text.starts_with("NOT") => {
            format!(
                "{} — the result is not taken, attempt {} follows",
                event.text,
                event.attempt.unwrap_or(0) + 1
            )
        }
        "verified" => format!("checked again from a clean checkout in a fresh container: {}", event.text),
        "accepted" => short_id(&event.text),
        "ticked" => "its box in tasks.md is ticked".to_owned(),
        "denied" | "chore-failed" | "failed" | "stale-refused" => format!("{}: {}", event.what, event.text),
        _ => return None,
    })
}

/// Ids of 40 and more hex digits, cut to twelve.
fn short_id(text: &str) -> String {
    let cut = |word: &str| match word.len() >= 40 && word.chars().all(|c| c.is_ascii_hexdigit()) {
        true => word[..12].to_owned(),
        false => word.to_owned(),
    };
    text.split(' ').map(cut).collect::<Vec<_>>().join(" ")
}

fn remaining(tasks: &[TaskView], progress: &Progress) -> String {
    let done = tasks.iter().filter(|t| is_done(t, tasks)).count();
    let each = progress.started.elapsed().as_secs_f64() / done.max(1) as f64;
    let left = (each * (tasks.len() - done) as f64).ceil();
    format!("      {done} of {} done, about {left:.0} s left", tasks.len())
}
