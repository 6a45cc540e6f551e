//! Before a handler: what its operation does, and whether the policy lets the caller do that.

use super::{Route, seed};
use crate::Authority;
use crate::api::Shared;
use crate::authority::now;
use crate::reply::{Failure, Note};
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{Method, StatusCode};
use ikigai_access::audit::Deed;
use ikigai_access::{Action, Principal, Resource, Role};
use ikigai_ports::Holder;
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
    /// It names one in its body.
    of_body: bool,
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
        of_body: route.path == seed::EVICT,
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
    mut request: Request,
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
    // Nobody knows which task an unknown name means: it stays untouched, whatever the policy says of the node.
    let (resource, unknown) = match resource(&app, rule, &who, param("id"), &mut request).await {
        Ok(resource) => (resource, None),
        Err(problem) => (Resource::Node, Some(problem)),
    };
    if !app.front.authority.allows(&who, action, &resource) {
        asked.denied(&app, &who).await;
        return Err(denied(&app, &who, action, &resource));
    }
    if let Some(problem) = unknown {
        let response = problem.into_response();
        if !asked.reads {
            note(&app, asked.answered(&response)).await;
        }
        return Ok(response);
    }
    let grant = Grant { who, action, resource };
    Ok(grant.clone().bound(&app, handle(&app, asked, grant, request, next).await))
}

/// Lets a handler answer, and notes what came of it. A write goes on to its entry when its caller hangs up: what was
/// done is in the log, whoever waits for the answer.
async fn handle(app: &Arc<Shared>, asked: Asked, grant: Grant, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(grant);
    if asked.reads {
        return next.run(request).await;
    }
    let (shared, broke) = (app.clone(), asked.deed.clone());
    let written = app.writes.spawn(async move {
        let response = next.run(request).await;
        note(&shared, asked.answered(&response)).await;
        response
    });
    match written.await {
        Ok(response) => response,
        Err(_) => {
            note(app, Deed { result: "failed".to_owned(), ..broke }).await;
            Failure::from(Problem::new(Code::Failed, "the request broke off", "look at the node's log"))
                .into_response()
        }
    }
}

/// What a request was let through as. An answer that goes on is good for as long as this is.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    who: Principal,
    action: Action,
    resource: Resource,
}

impl Grant {
    /// Until the caller may do this no more.
    pub(super) async fn ended(self, app: &Shared) {
        app.front.authority.clone().ended(self.who, self.action, self.resource).await;
    }

    /// What goes on elsewhere, and asks whether it may.
    pub(super) fn holder(self, app: &Shared) -> Arc<dyn Holder> {
        Arc::new(Held { authority: app.front.authority.clone(), grant: self })
    }

    /// An answer that goes on ends then.
    fn bound(self, app: &Arc<Shared>, response: Response) -> Response {
        let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if !matches!(kind, Some("text/event-stream" | "application/x-ndjson")) {
            return response;
        }
        let app = app.clone();
        let ended = async move { self.ended(&app).await };
        response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(ended))))
    }
}

/// Who was given what goes on elsewhere.
#[derive(Debug)]
struct Held {
    authority: Arc<Authority>,
    grant: Grant,
}

impl Holder for Held {
    fn may(&self) -> bool {
        self.authority.may_still(&self.grant.who, self.grant.action, &self.grant.resource)
    }
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
    fn answered(self, response: &Response) -> Deed {
        let status = response.status();
        let is_done = status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS;
        let result = if is_done { "done" } else { "failed" };
        let more = response.extensions().get::<Note>().map(|n| format!(": {}", n.0));
        let what = format!("{}{}", self.deed.what, more.unwrap_or_default());
        Deed { what, result: result.to_owned(), ..self.deed }
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
/// the policy may tell tasks apart. An error when it cannot be.
async fn resource(
    app: &Shared,
    rule: &Rule,
    who: &Principal,
    id: Option<String>,
    request: &mut Request,
) -> Result<Resource, Failure> {
    let apart = app.front.authority.tells_tasks_apart();
    Ok(match (rule.action, who, id) {
        (Some(Action::ReadShared), Principal::Share { task, .. }, _) => Resource::Task(task.clone()),
        _ if rule.of_body && apart => Resource::Task(seed::evicted(app, request).await?.to_string()),
        (_, _, Some(id)) if rule.of_task && apart => {
            Resource::Task(app.handle.task(&id).await?.id.to_string())
        }
        (_, _, Some(id)) if rule.of_task => Resource::Task(id),
        _ => Resource::Node,
    })
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
