//! Links that show one task to whoever has them: read-only, without what anybody printed, until they end.

use super::access::pass_view;
use super::extract::{Names, parse, read};
use super::session::not_made;
use super::{App, Route, route};
use crate::openapi::Operation;
use crate::reply::{Failure, Note, Reply, document, noted};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{delete, get, post};
use ikigai_access::{Action, Kind, Principal, Request, Role, redact};
use ikigai_types::Timestamp;
use ikigai_wire::api::{
    AttemptView, List, PassView, PatchView, ShareRequest, SharedAttempt, SharedPatch, SharedTask, TaskView,
};
use std::time::Duration;

/// How long a link works when nobody says.
const DAY: u64 = 24 * 60 * 60;

pub(super) fn routes() -> Vec<Route> {
    let new = "A read-only link to this task for people outside; it is in this answer and nowhere else";
    let new = Operation::post("shareTask", new).may(Action::Share).body::<ShareRequest>();
    let list = Operation::get("listShares", "Share links that work").may(Action::Share);
    let revoke = Operation::delete("revokeShare", "Takes a share link back").may(Action::Share);
    let show =
        Operation::get("showShared", "The task of a share link, whose token is sent as a bearer token");
    vec![
        route("/v1/tasks/{id}/share", post(share), [new.document::<PassView>("Share")]),
        route("/v1/shares", get(shares), [list.list::<PassView>("ShareList")]),
        route("/v1/shares/{id}", delete(revoke_share), [revoke.document::<PassView>("Share")]),
        route("/v1/shared", get(shared), [show.may(Action::ReadShared).document::<SharedTask>("SharedTask")]),
    ]
}

async fn share(
    State(app): App,
    Extension(who): Extension<Principal>,
    Names(id): Names<String>,
    body: Body,
) -> Reply {
    let asked: ShareRequest = parse(&read(body).await?)?;
    let task = app.handle.task(&id).await?;
    let request = Request {
        kind: Kind::Share,
        user: who.name().to_owned(),
        role: Role::Viewer,
        label: asked.name,
        life: Duration::from_secs(asked.ttl_seconds.unwrap_or(DAY)),
        task: Some(task.id.to_string()),
    };
    let (pass, secret) = app.front.authority.issue(request).await.map_err(not_made)?;
    let url = app.page_outside("share").map(|page| format!("{page}#{secret}"));
    let note = Note(format!("share link {} of {}", pass.id, task.short));
    let view = PassView { token: Some(secret), url, ..pass_view(pass) };
    Ok(noted(document("Share", view)?, note))
}

async fn shares(State(app): App) -> Reply {
    let items = app.front.authority.passes(Kind::Share).into_iter().map(pass_view).collect();
    document("ShareList", List::<PassView> { items, next: None })
}

async fn revoke_share(State(app): App, Names(id): Names<String>) -> Reply {
    let pass = app.front.authority.revoke(Kind::Share, &id).await.map_err(not_made)?;
    document("Share", pass_view(pass))
}

async fn shared(State(app): App, Extension(who): Extension<Principal>) -> Reply {
    let gone = || Failure::not_found("this link shows nothing", "ask whoever gave it to you for another");
    let Principal::Share { id, task } = &who else { return Err(gone()) };
    let until = app.front.authority.pass(id).ok_or_else(gone)?.until;
    // What went wrong with the task is nothing for people outside.
    let task = app.handle.task(task).await.map_err(|_| gone())?;
    document("SharedTask", outside(task, until))
}

/// What people outside see of a task. Each field is named here: what is new in a task is not shown by itself.
fn outside(task: TaskView, until: Timestamp) -> SharedTask {
    SharedTask {
        short: redact(&task.short),
        feature: redact(&task.feature),
        title: redact(&task.title),
        state: task.state,
        reason: task.reason.as_deref().map(redact),
        attempts: task.attempts.into_iter().map(attempt).collect(),
        patch: task.patch.map(patch),
        submitted_at: task.submitted_at,
        updated_at: task.updated_at,
        expires_at: until,
    }
}

fn attempt(attempt: AttemptView) -> SharedAttempt {
    SharedAttempt {
        number: attempt.id.number,
        phase: attempt.phase,
        outcome: attempt.outcome,
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
    }
}

fn patch(patch: PatchView) -> SharedPatch {
    let checks = patch.evidence.map(|e| e.checks).unwrap_or_default();
    SharedPatch {
        files: patch.files.len() as u64,
        additions: patch.additions,
        deletions: patch.deletions,
        verdict: patch.verdict,
        checks_passed: checks.iter().filter(|c| c.code == 0).count() as u64,
        checks_run: checks.len() as u64,
        merged: patch.merged.is_some(),
    }
}
