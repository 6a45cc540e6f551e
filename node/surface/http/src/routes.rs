//! Every path of the API in one table; the router and openapi.json are both made from it.

mod actions;
mod events;
mod extract;
mod logs;
mod meta;
mod nodes;
mod patches;
mod seed;
mod streams;
mod tasks;

use crate::api::Shared;
use crate::reply::Failure;
use axum::Router;
use axum::routing::{MethodRouter, get, post};
use http::StatusCode;
use ikigai_wire::api::{Code, Problem};
use std::sync::Arc;

pub(crate) type App = axum::extract::State<Arc<Shared>>;

/// One operation.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<Arc<Shared>>,
}

fn route(path: &'static str, handler: MethodRouter<Arc<Shared>>) -> Route {
    Route { path, handler }
}

/// The table.
pub(crate) fn table() -> Vec<Route> {
    vec![
        route("/health", get(seed::health)),
        route("/capacity", get(seed::capacity)),
        route("/pods", get(seed::pods)),
        route("/schedule", post(seed::schedule)),
        route("/evict", post(seed::evict)),
        route("/metrics", get(meta::metrics)),
        route("/v1/snapshot", get(tasks::snapshot)),
        route("/v1/tasks", get(tasks::list).post(tasks::submit)),
        route("/v1/tasks/{id}", get(tasks::show)),
        route("/v1/tasks/{id}/diff", get(patches::diff)),
        route("/v1/tasks/{id}/attempts/{n}/logs", get(logs::logs)),
        route("/v1/tasks/{id}/open", post(actions::open)),
        route("/v1/tasks/{id}/{action}", post(actions::act)),
        route("/v1/nodes", get(nodes::list)),
        route("/v1/nodes/{id}", get(nodes::show)),
        route("/v1/nodes/{id}/{action}", post(nodes::steer)),
        route("/v1/patches", get(patches::list)),
        route("/v1/events", get(events::events)),
    ]
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let router = table().into_iter().fold(Router::new(), |router, r| router.route(r.path, r.handler));
    router.fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(shared)
}

async fn unknown() -> Failure {
    Failure::not_found("there is no such path", "see GET /openapi.json")
}

async fn wrong_method() -> Failure {
    let problem = Problem::new(Code::Usage, "this path does not take that method", "see GET /openapi.json");
    Failure { status: StatusCode::METHOD_NOT_ALLOWED, problem }
}
