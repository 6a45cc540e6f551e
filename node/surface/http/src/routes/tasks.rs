//! Tasks: list, show, submit, and everything at once.

use super::App;
use super::extract::{Names, Params, key, parse, read};
use crate::reply::{Failure, Reply, document};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use ikigai_access::Principal;
use ikigai_wire::api::{Caller, Filter, List, SubmitRequest, TaskView};
use schemars::JsonSchema;
use serde::Deserialize;

/// Most items of a page.
const MAX_PAGE: usize = 1000;

/// Query of lists of tasks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskQuery {
    /// Only of this project checkout (an absolute path).
    project: Option<String>,
    /// Only of this feature (`001-shop`).
    feature: Option<String>,
    /// Only in these states, commas between them.
    state: Option<String>,
    /// Items of a page, at most 1000.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

impl TaskQuery {
    pub(super) fn filter(&self) -> Filter {
        let states = self.state.iter().flat_map(|s| s.split(',')).filter(|s| !s.is_empty());
        Filter {
            project: self.project.clone(),
            feature: self.feature.clone(),
            states: states.map(str::to_owned).collect(),
        }
    }
}

pub(super) async fn snapshot(State(app): App, Params(query): Params<TaskQuery>) -> Reply {
    document("Snapshot", app.handle.snapshot(query.filter()).await?)
}

pub(super) async fn list(State(app): App, Params(query): Params<TaskQuery>) -> Reply {
    let limit = query.limit.unwrap_or(MAX_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Failure::usage(format!("limit is {limit}"), "use 1 to 1000"));
    }
    let mut tasks = app.handle.snapshot(query.filter()).await?.tasks;
    tasks.sort_by(|a, b| a.id.cmp(&b.id));
    document("TaskList", page(tasks, query.cursor.as_deref(), limit))
}

/// The `limit` tasks after the id `after`.
fn page(tasks: Vec<TaskView>, after: Option<&str>, limit: usize) -> List<TaskView> {
    let begin = after.map_or(0, |after| tasks.partition_point(|t| t.id.as_str() <= after));
    let more = tasks.len() - begin > limit;
    let items: Vec<_> = tasks.into_iter().skip(begin).take(limit).collect();
    let next = items.last().filter(|_| more).map(|t| t.id.to_string());
    List { items, next }
}

pub(super) async fn show(State(app): App, Names(id): Names<String>) -> Reply {
    document("Task", app.handle.task(&id).await?)
}

pub(super) async fn submit(
    State(app): App,
    Extension(who): Extension<Principal>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let mut request: SubmitRequest = parse(&read(body).await?)?;
    if let Some(key) = key(&headers)? {
        if request.idempotency_key.as_ref().is_some_and(|own| *own != key) {
            return Err(Failure::usage("header and body name different idempotency keys", "send one"));
        }
        request.idempotency_key = Some(key);
    }
    request.by = Some(Caller { user: who.name().to_owned(), via: None });
    document("Submission", app.handle.submit(request).await?)
}
