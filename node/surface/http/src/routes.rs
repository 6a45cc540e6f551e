//! Every path of the API in one table; the router and openapi.json are both made from it.

mod access;
mod actions;
mod allow;
mod audit;
mod cost;
mod events;
mod extract;
mod logs;
mod mesh;
mod meta;
mod nodes;
mod notices;
mod oidc;
mod patches;
mod seed;
mod session;
mod share;
mod streams;
mod tasks;
mod terminal;

pub(crate) use terminal::TERMINALS;

use crate::api::Shared;
use crate::openapi::Operation;
use crate::reply::Failure;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};
use http::StatusCode;
use ikigai_access::Action;
use ikigai_wire::api::{
    CapacityView, Code, Command, Event, EvictRequest, HealthView, InvitationView, InviteRequest, JoinRequest,
    JoinView, LogEntry, LoginLink, LoginRequest, MemberView, MeshView, NodeCommand, NodeView, OpenView,
    PatchItem, PodView, Problem, SessionView, Snapshot, SubmitRequest, SubmitView, TaskView,
};
use std::sync::Arc;

pub(crate) use allow::is_open;

pub(crate) type App = axum::extract::State<Arc<Shared>>;

/// A path, who answers it, and what is said of it. Each operation says with [`Operation::may`] what it does, and
/// the policy decides who may do that.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<Arc<Shared>>,
    pub(crate) operations: Vec<Operation>,
}

/// The table.
pub(crate) fn table() -> Vec<Route> {
    [
        orchestrator(),
        tasks(),
        nodes_and_patches(),
        enrolment(),
        streams_and_meta(),
        sessions(),
        oidc::routes(),
        access::routes(),
        share::routes(),
        audit::routes(),
        cost::routes(),
        notices::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn route<const N: usize>(
    path: &'static str,
    handler: MethodRouter<Arc<Shared>>,
    operations: [Operation; N],
) -> Route {
    Route { path, handler, operations: operations.into() }
}

fn orchestrator() -> Vec<Route> {
    let schedule = Operation::post("schedule", "Places tasks: the same as submitting them")
        .may(Action::Submit)
        .body::<SubmitRequest>()
        .keyed()
        .document::<SubmitView>("Submission");
    let evict = Operation::post(
        "evict",
        "Takes a task's running attempt, or an agent, off its node and places the task again",
    )
    .may(Action::Steer)
    .body::<EvictRequest>()
    .keyed()
    .document::<TaskView>("Task");
    vec![
        route(
            "/health",
            get(seed::health),
            [Operation::get("health", "Whether this node takes work")
                .may(Action::Read)
                .document::<HealthView>("Health")],
        ),
        route(
            "/capacity",
            get(seed::capacity),
            [Operation::get("capacity", "What this node has, gives and has left")
                .may(Action::Read)
                .document::<CapacityView>("Capacity")],
        ),
        route(
            "/pods",
            get(seed::pods),
            [Operation::get("pods", "Agents that run").may(Action::Read).list::<PodView>("PodList")],
        ),
        route("/schedule", post(seed::schedule), [schedule]),
        route(seed::EVICT, post(seed::evict), [evict]),
    ]
}

fn tasks() -> Vec<Route> {
    let list = Operation::get("listTasks", "Tasks, by pages")
        .may(Action::Read)
        .query::<tasks::TaskQuery>()
        .list::<TaskView>("TaskList");
    let submit =
        Operation::post("submitTasks", "Accepts tasks; with `dryRun` answers the plan and changes nothing")
            .may(Action::Submit)
            .body::<SubmitRequest>()
            .keyed()
            .document::<SubmitView>("Submission");
    let show = Operation::get("showTask", "A task with its attempts, its patch and why it is where it is")
        .may(Action::Read);
    vec![
        route("/v1/tasks", get(tasks::list).post(tasks::submit), [list, submit]),
        route("/v1/tasks/{id}", get(tasks::show), [show.document::<TaskView>("Task")]),
        route(
            "/v1/tasks/{id}/diff",
            get(patches::diff),
            [Operation::get("diffTask", "The newest patch of a task").may(Action::Read).text("text/x-diff")],
        ),
        route(
            "/v1/tasks/{id}/open",
            post(actions::open),
            [Operation::post("openTask", "A one-time link to the editor of the task's agent")
                .may(Action::Open)
                .document::<OpenView>("EditorLink")],
        ),
        terminal_route(),
        Route {
            path: "/v1/tasks/{id}/{action}",
            handler: post(actions::act),
            operations: Operation::commands::<Command>("Task", |o| {
                let action = actions::does(o.command().unwrap_or_default());
                o.keyed().may(action).document::<TaskView>("Task")
            }),
        },
        route(
            "/v1/snapshot",
            get(tasks::snapshot),
            [Operation::get(
                "snapshot",
                "Nodes and tasks together, and the cursor of the events they include",
            )
            .may(Action::Read)
            .query::<tasks::TaskQuery>()
            .document::<Snapshot>("Snapshot")],
        ),
    ]
}

fn nodes_and_patches() -> Vec<Route> {
    vec![
        route(
            "/v1/nodes",
            get(nodes::list),
            [Operation::get("listNodes", "Every node").may(Action::Read).list::<NodeView>("NodeList")],
        ),
        route(
            "/v1/nodes/{id}",
            get(nodes::show).delete(mesh::remove),
            [
                Operation::get("showNode", "A node, by its name or the beginning of its id")
                    .may(Action::Read)
                    .document::<NodeView>("Node"),
                Operation::delete("removeNode", "Takes a node out of the mesh for good")
                    .may(Action::Enrol)
                    .document::<MemberView>("Member"),
            ],
        ),
        Route {
            path: "/v1/nodes/{id}/{action}",
            handler: post(nodes::steer),
            operations: Operation::commands::<NodeCommand>("Node", |o| {
                o.may(Action::Operate).document::<NodeView>("Node")
            }),
        },
        route(
            "/v1/patches",
            get(patches::list),
            [Operation::get("listPatches", "The newest patch of each task that has one")
                .may(Action::Read)
                .query::<tasks::TaskQuery>()
                .list::<PatchItem>("PatchList")],
        ),
    ]
}

fn terminal_route() -> Route {
    let text = "A WebSocket (`ikigai.terminal.v1`) to the terminal of the task's agent. A message is binary: its kind, \
        then its body. Kind 0 is a word in JSON; kind 1 is what was typed, or, from the terminal, eight bytes with \
        the number of the first byte (big endian) and output. The first is a word, `{\"say\":\"open\"}`, with \
        `terminal` and `from` when coming back. A page offers the key of its session as `ikigai.key.<key>`";
    let operation = Operation::get("attachTask", text).may(Action::Open).query::<terminal::TerminalQuery>();
    route("/v1/tasks/{id}/terminal", get(terminal::open), [operation.text("application/octet-stream")])
}

fn enrolment() -> Vec<Route> {
    let invite = "An invitation for one machine; its token is in this answer and nowhere else";
    vec![
        route(
            "/v1/mesh",
            get(mesh::show),
            [Operation::get("showMesh", "The mesh and who is in it")
                .may(Action::Read)
                .document::<MeshView>("Mesh")],
        ),
        route(
            "/v1/mesh/join",
            post(mesh::join),
            [Operation::post("joinMesh", "Takes this node into the mesh of an invitation")
                .may(Action::Enrol)
                .body::<JoinRequest>()
                .document::<JoinView>("Joined")],
        ),
        route(
            "/v1/invitations",
            get(mesh::invitations).post(mesh::invite),
            [
                Operation::get("listInvitations", "Invitations this node made, the newest first")
                    .may(Action::Enrol)
                    .list::<InvitationView>("InvitationList"),
                Operation::post("invite", invite)
                    .may(Action::Enrol)
                    .body::<InviteRequest>()
                    .document::<InvitationView>("Invitation"),
            ],
        ),
        route(
            "/v1/invitations/{id}",
            delete(mesh::revoke),
            [Operation::delete("revokeInvitation", "Takes back an invitation that nobody used")
                .may(Action::Enrol)
                .document::<InvitationView>("Invitation")],
        ),
    ]
}

fn streams_and_meta() -> Vec<Route> {
    let logs = "Lines of an attempt from any number on: ndjson, or server-sent events `line`, `gap` and `end` whose \
        ids are the numbers";
    let events = "Server-sent events: `event` (its id is the cursor), `gap`, `caught-up`, `resync`, `error`. \
        Last-Event-ID goes before `cursor`";
    vec![
        route(
            "/v1/tasks/{id}/attempts/{n}/logs",
            get(logs::logs),
            [Operation::get("logs", logs)
                .may(Action::Read)
                .query::<logs::LogQuery>()
                .stream::<LogEntry>(&["application/x-ndjson", "text/event-stream"])],
        ),
        route(
            "/v1/events",
            get(events::events),
            [Operation::get("events", events)
                .may(Action::Read)
                .query::<events::EventQuery>()
                .stream::<Event>(&["text/event-stream"])],
        ),
        route(
            "/metrics",
            get(meta::metrics),
            [Operation::get("metrics", "Counters for Prometheus").may(Action::Read).text("text/plain")],
        ),
        route(
            "/openapi.json",
            get(meta::openapi),
            [Operation::get("openapi", "This document").may(Action::Read).text("application/json")],
        ),
    ]
}

fn sessions() -> Vec<Route> {
    let link = Operation::post("createLoginLink", "A one-time link that opens the dashboard in a browser")
        .may(Action::Identify);
    let open = "Makes a link's code a session: a cookie and a key, each of them half of it. Needs no token";
    vec![
        route("/v1/session/links", post(session::link), [link.document::<LoginLink>("LoginLink")]),
        route(
            "/v1/session",
            get(session::show).post(session::open),
            [
                Operation::get("showSession", "The session of this request")
                    .may(Action::Identify)
                    .document::<SessionView>("Session"),
                Operation::post("openSession", open)
                    .may(Action::LogIn)
                    .body::<LoginRequest>()
                    .document::<SessionView>("Session"),
            ],
        ),
        route(
            "/v1/session/end",
            post(session::end),
            [Operation::post("endSession", "Logs out")
                .may(Action::Identify)
                .document::<SessionView>("Session")],
        ),
    ]
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let router = table().into_iter().fold(Router::new(), |router, r| {
        let before = from_fn_with_state((shared.clone(), allow::rules(&r)), allow::allow);
        router.route(r.path, r.handler.route_layer(before))
    });
    router.fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(shared)
}

async fn unknown() -> Failure {
    Failure::not_found("there is no such path", "see GET /openapi.json")
}

async fn wrong_method() -> Failure {
    let problem = Problem::new(Code::Usage, "this path does not take that method", "see GET /openapi.json");
    Failure { status: StatusCode::METHOD_NOT_ALLOWED, problem }
}
