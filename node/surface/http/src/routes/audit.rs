//! The audit log, read and checked.

use super::extract::Params;
use super::{App, Route, route};
use crate::openapi::Operation;
use crate::reply::{Failure, Reply, document};
use axum::extract::State;
use axum::routing::get;
use ikigai_access::Action;
use ikigai_access::audit::Entry;
use ikigai_ports::PortError;
use ikigai_wire::api::{AuditCheck, AuditEntry, Code, List, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

/// Entries of a page when nobody says how many.
const PAGE: usize = 100;
/// Most entries of a page.
const MOST: usize = 1000;

/// Which entries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    /// Only those before this number; absent: the newest.
    before: Option<u64>,
    /// At most so many, 1000 at most.
    limit: Option<usize>,
}

pub(super) fn routes() -> Vec<Route> {
    let list = Operation::get("listAudit", "What was decided, the newest first").may(Action::Audit);
    let check =
        Operation::get("verifyAudit", "Follows the whole log and says where it is not what was written");
    vec![
        route("/v1/audit", get(entries), [list.query::<AuditQuery>().list::<AuditEntry>("AuditList")]),
        route(
            "/v1/audit/check",
            get(verify),
            [check.may(Action::Audit).document::<AuditCheck>("AuditCheck")],
        ),
    ]
}

async fn entries(State(app): App, Params(query): Params<AuditQuery>) -> Reply {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, MOST);
    let found = app.front.authority.audit().read(query.before, limit).await.map_err(unread)?;
    let next = found.last().filter(|e| found.len() == limit && e.seq > 1).map(|e| e.seq.to_string());
    document("AuditList", List { items: found.into_iter().map(view).collect(), next })
}

async fn verify(State(app): App) -> Reply {
    let (entries, last, fault) = app.front.authority.audit().verify().await.map_err(unread)?;
    let (last, hash) = last.map(|e| (e.seq, e.hash)).unzip();
    document("AuditCheck", AuditCheck { entries, last, hash, fault: fault.map(|f| f.to_string()) })
}

fn view(entry: Entry) -> AuditEntry {
    let Entry { seq, deed, hash } = entry;
    let (at, who, via, action) = (deed.at, deed.who, deed.via, deed.action);
    AuditEntry { number: seq, at, who, via, action, what: deed.what, result: deed.result, hash }
}

fn unread(error: PortError) -> Failure {
    Problem::new(Code::Failed, format!("the audit log cannot be read: {error}"), "run: ikigai doctor").into()
}
