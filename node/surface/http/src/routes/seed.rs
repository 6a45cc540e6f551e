//! The five calls of an orchestrator: health, capacity, pods, schedule, evict.

use super::App;
use super::extract::{key, parse, read};
use super::nodes::own;
use crate::api::Shared;
use crate::reply::{Failure, Reply, document};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use http::HeaderMap;
use ikigai_access::Principal;
use ikigai_types::TaskId;
use ikigai_wire::api::{
    AttemptView, CapacityView, Command, EvictRequest, Filter, HealthView, List, PodView, TaskView,
};

/// The path of [`evict`], which names a task in its body.
pub(super) const EVICT: &str = "/evict";

pub(super) async fn health(State(app): App) -> Reply {
    let own = own(&app).await?;
    let status = if own.cordoned { "cordoned" } else { "ok" };
    document(
        "Health",
        HealthView {
            status: status.into(),
            node: own.id,
            name: own.name,
            version: own.version,
            observed_at: own.observed_at,
        },
    )
}

pub(super) async fn capacity(State(app): App) -> Reply {
    let own = own(&app).await?;
    document(
        "Capacity",
        CapacityView {
            node: own.id,
            capacity: own.capacity,
            allocatable: own.allocatable,
            free: own.free,
            tags: own.tags,
            cordoned: own.cordoned,
            observed_at: own.observed_at,
        },
    )
}

pub(super) async fn pods(State(app): App) -> Reply {
    let tasks = app.handle.snapshot(Filter::default()).await?.tasks;
    document("PodList", List { items: tasks.iter().flat_map(running).collect(), next: None })
}

fn running(task: &TaskView) -> impl Iterator<Item = PodView> {
    task.attempts.iter().filter(|a| a.phase != "ended").map(|a| pod(task, a))
}

fn pod(task: &TaskView, attempt: &AttemptView) -> PodView {
    PodView {
        agent: attempt.agent.clone(),
        task: task.id.clone(),
        attempt: attempt.id.number,
        epoch: attempt.epoch,
        node: attempt.node,
        phase: attempt.phase.clone(),
        workload: attempt.workload.clone(),
        limits: task.limits,
        started_at: attempt.started_at,
    }
}

pub(super) async fn schedule(app: App, who: Extension<Principal>, headers: HeaderMap, body: Body) -> Reply {
    super::tasks::submit(app, who, headers, body).await
}

pub(super) async fn evict(State(app): App, headers: HeaderMap, body: Body) -> Reply {
    let body = read(body).await?;
    let request: EvictRequest = parse(&body)?;
    let task = meant(&app, &request).await?;
    let key = key(&headers)?.map(|key| format!("{task} evict {key}"));
    let run = async {
        let view = app.handle.command(&task, Command::Evict { grace: request.grace }).await?;
        crate::reply::json(&ikigai_wire::api::Document::new("Task", view))
    };
    let bytes = app.answered.once(key, &body, run).await?;
    Ok(crate::reply::json_response(http::StatusCode::OK, bytes))
}

/// The task that a request to [`evict`] is about. Its body is read for that, and is there as before.
pub(super) async fn evicted(app: &Shared, request: &mut Request) -> Result<TaskId, Failure> {
    let body = read(std::mem::take(request.body_mut())).await?;
    *request.body_mut() = Body::from(body.clone());
    meant(app, &parse(&body)?).await
}

async fn meant(app: &Shared, request: &EvictRequest) -> Result<TaskId, Failure> {
    match (&request.task, &request.agent) {
        (Some(task), None) => Ok(app.handle.task(task).await?.id),
        (None, Some(agent)) => task_of(app, agent).await,
        _ => Err(Failure::usage("name a task or an agent, one of them", "see GET /openapi.json")),
    }
}

async fn task_of(app: &Shared, agent: &str) -> Result<TaskId, Failure> {
    let tasks = app.handle.snapshot(Filter::default()).await?.tasks;
    let found = tasks.into_iter().find(|t| running(t).any(|p| p.agent == agent));
    found.map(|t| t.id).ok_or_else(|| Failure::not_found("no such agent runs here", "see GET /pods"))
}
