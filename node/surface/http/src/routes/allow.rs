//! Before a handler: what its operation does, and whether the policy lets the caller do that.

use super::Route;
use crate::api::Shared;
use crate::authority::now;
use crate::reply::{Failure, Note};
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt;
use http::{Method, StatusCode};
use ikigai_access::audit::Deed;
use ikigai_access::{Action, Principal, Resource, Role};
use ikigai_wire::api::{Code, Problem};
use std::sync::{Arc, LazyLock};

/// What one operation does, for who stands before it.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    method: Method,
    /// Stands for `{action}` in the path.
    command: Option<String>,
    /// `None` is a mistake that a test finds; nobody gets past it.
    action: Option<Action>,
    /// It names a task in its path.
    of_task: bool,
}

/// What stands before one route.
pub(super) type Rules = Arc<[Rule]>;

pub(super) fn rules(route: &Route) -> Rules {
    let of_task = route.path.starts_with("/v1/tasks/{id}");
    let rule = |o: &crate::openapi::Operation| Rule {
        method: o.method().to_ascii_uppercase().parse().unwrap_or(Method::GET),
        command: o.command().map(ToOwned::to_owned),
        action: o.action(),
        of_task,
    };
    route.operations.iter().map(rule).collect()
}

/// Whether a request may come without showing anything, because what it shows is in its body.
pub(crate) fn is_open(method: &Method, path: &str) -> bool {
    static OPEN: LazyLock<Vec<(String, &str)>> = LazyLock::new(|| {
        let table = super::table();
        let of = table.iter().flat_map(|r| r.operations.iter().map(move |o| (o, r.path)));
        let open = of.filter(|(o, _)| o.action() == Some(Action::LogIn));
        open.map(|(o, path)| (o.method().to_ascii_uppercase(), path)).collect()
    });
    OPEN.iter().any(|(m, p)| m == method.as_str() && *p == path)
}

/// Lets a request through to its handler, or not.
pub(super) async fn allow(
    State((app, rules)): State<(Arc<Shared>, Rules)>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let unreadable =
        |_| Failure::usage("the path is not as documented: it is no UTF-8", "see GET /openapi.json");
    let params = params.map_err(unreadable)?;
    let who = request.extensions().get::<Principal>().cloned().unwrap_or(Principal::Nobody);
    let param = |name: &str| params.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_owned());
    let Some(rule) = find(&rules, request.method(), param("action").as_deref()) else {
        return Err(Failure::usage("there is no such action", "see GET /openapi.json"));
    };
    let Some(action) = rule.action else {
        return Err(Problem::plain(Code::Denied, "nobody may do this: it declares no action").into());
    };
    let asked = Asked::of(&who, action, &request);
    let resource = resource(&app, rule, &who, param("id")).await;
    if !app.front.authority.allows(&who, action, &resource) {
        asked.denied(&app, &who).await;
        return Err(denied(&app, &who, action, &resource));
    }
    let response = next.run(request).await;
    if let Some(deed) = asked.answered(&response) {
        note(&app, deed).await;
    }
    Ok(bounded(&app, &who, response))
}

/// What the audit log says of a request.
struct Asked {
    deed: Deed,
    /// It only looks: what is let through is not noted.
    reads: bool,
}

impl Asked {
    fn of(who: &Principal, action: Action, request: &Request) -> Self {
        let deed = Deed {
            at: now(),
            who: who.name().to_owned(),
            via: via(who),
            action: action.name().to_owned(),
            what: format!("{} {}", request.method(), request.uri().path()),
            result: String::new(),
        };
        // A terminal is asked for by GET, and is a hand on the agent.
        let reads = matches!(*request.method(), Method::GET | Method::HEAD) && action != Action::Open;
        Self { deed, reads }
    }

    async fn denied(self, app: &Shared, who: &Principal) {
        let deed = Deed { result: "denied".to_owned(), ..self.deed };
        match who {
            Principal::Nobody | Principal::Share { .. } => app.front.authority.audit().refused(deed),
            Principal::User { .. } => app.front.authority.audit().note(deed).await,
        }
    }

    /// What is to be noted of what came of it.
    fn answered(self, response: &Response) -> Option<Deed> {
        if self.reads {
            return None;
        }
        let status = response.status();
        let is_done = status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS;
        let result = if is_done { "done" } else { "failed" };
        let more = response.extensions().get::<Note>().map(|n| format!(": {}", n.0));
        let what = format!("{}{}", self.deed.what, more.unwrap_or_default());
        Some(Deed { what, result: result.to_owned(), ..self.deed })
    }
}

async fn note(app: &Shared, deed: Deed) {
    // Whoever tries one-time codes is nobody, and may try many.
    if deed.who == Principal::Nobody.name() && deed.result == "failed" {
        return app.front.authority.audit().refused(deed);
    }
    app.front.authority.audit().note(deed).await;
}

fn via(who: &Principal) -> String {
    match who {
        Principal::Nobody => "-".to_owned(),
        Principal::User { via, .. } => via.to_string(),
        Principal::Share { id, .. } => format!("share {id}"),
    }
}

fn find<'a>(rules: &'a [Rule], method: &Method, command: Option<&str>) -> Option<&'a Rule> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    rules.iter().find(|r| r.method == *method && (r.command.is_none() || r.command.as_deref() == command))
}

/// What a request is about. A task has many names and a policy knows it by its whole id, which is looked up when
/// the policy may tell tasks apart.
async fn resource(app: &Shared, rule: &Rule, who: &Principal, id: Option<String>) -> Resource {
    match (rule.action, who, id) {
        (Some(Action::ReadShared), Principal::Share { task, .. }, _) => Resource::Task(task.clone()),
        (_, _, Some(id)) if rule.of_task && app.front.authority.tells_tasks_apart() => {
            Resource::Task(app.handle.task(&id).await.map_or(id, |t| t.id.to_string()))
        }
        (_, _, Some(id)) if rule.of_task => Resource::Task(id),
        _ => Resource::Node,
    }
}

fn denied(app: &Shared, who: &Principal, action: Action, resource: &Resource) -> Failure {
    let action_name = action.name();
    match who {
        Principal::User { name, role, .. } => {
            let text = format!("`{name}` may not {action_name} here: its role is {role}");
            let roles = app.front.authority.roles(who, action, resource);
            let roles: Vec<_> = roles.into_iter().map(Role::name).collect();
            let hint = match roles.is_empty() {
                true => "the node's policy lets no role do that".to_owned(),
                false => {
                    format!("who may is {}; an admin changes a role with: ikigai user set", roles.join(", "))
                }
            };
            Problem::new(Code::Denied, text, hint).into()
        }
        Principal::Share { .. } => {
            Problem::new(Code::Denied, "this link shows one task and nothing else", "log in to see more")
                .into()
        }
        Principal::Nobody => {
            Problem::new(Code::Unauthenticated, "nobody in particular may do this", "run: ikigai open").into()
        }
    }
}

/// An answer that goes on ends when what its caller showed is taken back.
fn bounded(app: &Shared, who: &Principal, response: Response) -> Response {
    let Some(id) = who.pass() else { return response };
    let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    if !matches!(kind, Some("text/event-stream" | "application/x-ndjson")) {
        return response;
    }
    let ended = app.front.authority.clone().ended(id.to_owned());
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(ended))))
}
