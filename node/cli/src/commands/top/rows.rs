//! Which tasks are listed and in which order: what needs a person, what runs, what waits.

use super::model::Model;
use crate::views;
use ikigai_notify::Need;
use ikigai_types::{Timestamp, Usage};
use ikigai_wire::api::{NodeView, TaskView};
use serde::Serialize;

/// A line of the list.
#[derive(Debug)]
pub(super) enum Row<'a> {
    /// A heading, and how many stand under it.
    Head(&'static str, usize),
    Task(&'a TaskView),
}

impl<'a> Row<'a> {
    pub(super) fn task(&self) -> Option<&'a TaskView> {
        match self {
            Self::Head(..) => None,
            Self::Task(task) => Some(task),
        }
    }
}

/// What a task needs of a person.
pub(super) fn need(task: &TaskView) -> Option<Need> {
    // One that was accepted stays in review while it is merged, and needs nobody.
    let merging = task.why.cause == "merging" || task.why.cause == "chore";
    Need::of(&task.state, task.reason.as_deref()).filter(|n| *n != Need::Review || !merging)
}

fn is_open(task: &TaskView) -> bool {
    !matches!(task.state.as_str(), "accepted" | "rejected" | "cancelled")
}

fn works(task: &TaskView) -> bool {
    matches!(task.state.as_str(), "placing" | "preparing" | "running" | "verifying" | "review")
}

/// The tasks that are not done and that `filter` lets through.
pub(super) fn of<'a>(tasks: &'a [TaskView], filter: &str) -> Vec<Row<'a>> {
    let [needs, runs, waits] = groups(tasks, filter);
    let mut rows = Vec::new();
    for (head, tasks) in [("NEEDS YOU", needs), ("RUNS", runs), ("WAITS", waits)] {
        if !tasks.is_empty() {
            rows.push(Row::Head(head, tasks.len()));
            rows.extend(tasks.into_iter().map(Row::Task));
        }
    }
    rows
}

/// The most urgent first, and of those the one that waits longest; what runs and what waits in the order of ids.
fn groups<'a>(tasks: &'a [TaskView], filter: &str) -> [Vec<&'a TaskView>; 3] {
    let wanted = filter.to_lowercase();
    let open = tasks.iter().filter(|t| is_open(t) && matches(t, &wanted));
    let (mut needs, rest): (Vec<_>, Vec<_>) = open.partition(|t| need(t).is_some());
    needs.sort_by_key(|t| (need(t), t.updated_at, t.id.clone()));
    let (runs, waits) = rest.into_iter().partition(|t| works(t));
    [needs, runs, waits]
}

fn matches(task: &TaskView, wanted: &str) -> bool {
    let state = views::state(task);
    let node = views::node_name(task);
    let texts = [&task.short, &task.title, &task.feature, &task.project, &state, &node];
    wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(wanted))
}

/// What the attempts cost that began on the day of `now` (UTC).
pub(super) fn today(tasks: &[TaskView], now: Timestamp) -> Usage {
    let day = |at: Timestamp| at.0 / 86_400_000;
    let attempts = tasks.iter().flat_map(|t| &t.attempts).filter(|a| day(a.started_at) == day(now));
    attempts.fold(Usage::default(), |sum, a| sum.plus(a.usage))
}

/// The same for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    nodes: &'a [NodeView],
    needs_you: Vec<&'a TaskView>,
    runs: Vec<&'a TaskView>,
    waits: Vec<&'a TaskView>,
    /// Of attempts that began today.
    today: Usage,
}

pub(super) fn document(model: &Model) -> Document<'_> {
    let [needs_you, runs, waits] = groups(&model.tasks, "");
    Document { nodes: &model.nodes, needs_you, runs, waits, today: today(&model.tasks, model.now) }
}
