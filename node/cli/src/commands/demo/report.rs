//! The demo's end: a table, an editor to open, and what to type next.

use super::node::DemoNode;
use super::project::FEATURE;
use super::seed::Seed;
use super::trouble::Trouble;
use super::{Place, Progress};
use crate::human;
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Problem, TaskView};

/// Prints it.
pub(super) async fn show(
    place: &Place,
    node: &DemoNode,
    seed: &Seed,
    progress: &Progress,
    (kept, trouble): (bool, Option<&Trouble>),
) -> Result<(), Problem> {
    let tasks = node.tasks().await?;
    println!();
    for line in table(&tasks) {
        println!("{line}");
    }
    let file = place.project().join(FEATURE).join("tasks.md");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let ticked = text.lines().filter(|l| l.starts_with("- [X]") || l.starts_with("- [x]")).count();
    let rid = node.rid().await?;
    println!();
    println!("{ticked} of {} boxes in {} are ticked.", tasks.len(), file.display());
    println!("{} patches of {rid} are seen by the second Radicle node.", seed.patches(&rid).await?);
    retried(&tasks);
    for line in trouble.map(Trouble::told).unwrap_or_default() {
        println!("{line}");
    }
    println!("It took {} s.", progress.started.elapsed().as_secs());
    if kept {
        next(place, node, &tasks).await?;
    }
    Ok(())
}

fn table(tasks: &[TaskView]) -> Vec<String> {
    let mut rows = vec![
        ["TASK", "NODE", "ATTEMPTS", "TIME", "TOKENS", "COST", "PATCH", "VERDICT", "STATE"]
            .map(ToOwned::to_owned)
            .to_vec(),
    ];
    for task in tasks {
        let ran = task
            .attempts
            .iter()
            .map(|a| a.ended_at.map_or(0, |e| e.since(a.started_at).as_secs()))
            .sum::<u64>();
        let patch = task.patch.as_ref();
        let id = patch.and_then(|p| p.id.as_ref()).map_or("-", |p| p.as_str());
        rows.push(vec![
            task.short.clone(),
            crate::views::node_name(task),
            task.attempts.len().to_string(),
            format!("{ran} s"),
            human::count(task.usage.input_tokens + task.usage.output_tokens),
            human::cost(&task.usage),
            id.chars().take(9).collect(),
            patch.and_then(|p| p.verdict.clone()).unwrap_or_else(|| "-".to_owned()),
            task.state.clone(),
        ]);
    }
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let cell = |(text, width): (&String, &usize)| format!("{text:<width$}");
    let line = |row: &Vec<String>| {
        row.iter().zip(&widths).map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// What was not taken the first time, and why.
fn retried(tasks: &[TaskView]) {
    for task in tasks.iter().filter(|t| t.attempts.len() > 1) {
        for attempt in task.attempts.iter().filter(|a| a.outcome.as_deref() != Some("done")) {
            let why = attempt.detail.clone().unwrap_or_default();
            println!("{} attempt {} was NOT taken: {why}", task.short, attempt.id.number);
        }
    }
}

async fn next(place: &Place, node: &DemoNode, tasks: &[TaskView]) -> Result<(), Problem> {
    if let Some(task) = tasks.iter().find(|t| t.short == "T009") {
        match node.handle.open(&task.id).await {
            Ok(link) => println!(
                "\nThe editor of the agent that is still there (once, within a minute):\n  {}",
                link.url
            ),
            Err(problem) => println!("\nNo editor to open: {problem}"),
        }
    }
    println!("\nTry next, in {}:", place.project().display());
    if let Some(folder) = not_on_path() {
        println!("  export PATH={}:$PATH", folder.display());
    }
    println!("  export IKIGAI_HOME={}", place.home().display());
    println!("  ikigai open T009            # a fresh link to that editor");
    println!("  ikigai task logs T004       # what the agent said and did");
    if tasks.iter().any(|t| t.state == "review") {
        println!("  ikigai patch accept T010    # the one result that no check covers is yours to decide");
    } else {
        println!("  ikigai task show T003       # attempts, placement and why");
    }
    let home = place.root.parent().unwrap_or(&place.root).display();
    println!("\nikigai --home {home} demo --clean removes all of it.");
    Ok(())
}

/// The folder of this program, when a shell would not find it there.
fn not_on_path() -> Option<std::path::PathBuf> {
    let own = std::env::current_exe().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = std::env::split_paths(&path).map(|p| p.join("ikigai")).find(|p| p.is_file());
    let found = first.and_then(|p| p.canonicalize().ok()) == own.canonicalize().ok();
    (!found).then(|| own.parent().map(std::path::Path::to_owned)).flatten()
}
