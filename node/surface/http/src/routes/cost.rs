//! What agents used.

use super::extract::Params;
use super::{App, Route, route};
use crate::openapi::Operation;
use crate::reply::{Failure, Reply, document};
use axum::extract::State;
use axum::routing::get;
use ikigai_access::Action;
use ikigai_types::NodeId;
use ikigai_wire::api::{CostBy, CostView, Filter, is_of};
use schemars::JsonSchema;
use serde::Deserialize;

/// Of what the use is summed, and by what.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CostQuery {
    /// `user`, `project`, `task`, `attempt` or `node`; `user` when absent.
    by: Option<String>,
    /// Only of tasks that this user submitted (`alice`, or `alice@laptop`).
    user: Option<String>,
    /// Only of this project checkout (an absolute path).
    project: Option<String>,
    /// Only of this feature (`001-shop`).
    feature: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    let text = "What agents used, as their gates counted it, attempts that still run included";
    let show = Operation::get("showCost", text).may(Action::Read).query::<CostQuery>();
    vec![route("/v1/cost", get(cost), [show.document::<CostView>("Cost")])]
}

async fn cost(State(app): App, Params(query): Params<CostQuery>) -> Reply {
    let by = query.by.as_deref().map_or(Ok(CostBy::default()), str::parse);
    let by = by.map_err(|e| Failure::usage(e.to_string(), "see GET /openapi.json"))?;
    let filter = Filter { project: query.project, feature: query.feature, states: Vec::new() };
    let mut all = app.handle.snapshot(filter).await?;
    if let Some(user) = &query.user {
        all.tasks.retain(|t| is_of(t, user));
    }
    let known = |id: NodeId| all.nodes.iter().find(|n| n.id == id).map(|n| n.name.clone());
    let name = |id: NodeId| known(id).unwrap_or_else(|| id.short());
    document("Cost", CostView::of(&all.tasks, by, &name))
}
