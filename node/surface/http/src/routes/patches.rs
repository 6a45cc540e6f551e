//! Patches of every task, and a patch as a diff.

use super::App;
use super::extract::{Names, Params};
use super::tasks::TaskQuery;
use crate::reply::{Reply, document};
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use ikigai_wire::api::{List, PatchItem, TaskView};

pub(super) async fn list(State(app): App, Params(query): Params<TaskQuery>) -> Reply {
    let tasks = app.handle.snapshot(query.filter()).await?.tasks;
    document("PatchList", List { items: tasks.into_iter().filter_map(item).collect(), next: None })
}

fn item(task: TaskView) -> Option<PatchItem> {
    let patch = task.patch?;
    Some(PatchItem { task: task.id, short: task.short, title: task.title, state: task.state, patch })
}

pub(super) async fn diff(State(app): App, Names(id): Names<String>) -> Reply {
    let task = app.handle.task(&id).await?.id;
    let diff = app.handle.diff(&task).await?;
    Ok(([(CONTENT_TYPE, "text/x-diff; charset=utf-8")], diff).into_response())
}
