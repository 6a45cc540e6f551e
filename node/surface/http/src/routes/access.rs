//! Who may use the node: users, and what lets them in.

use super::App;
use super::extract::{Names, parse, read};
use super::session::{not_made, refused};
use super::{Route, route};
use crate::authority::now;
use crate::openapi::Operation;
use crate::reply::{Failure, Note, Reply, document, noted};
use crate::site::nowhere;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{delete, get, post};
use ikigai_access::{Action, Kind, OWNER, Pass, Principal, Request, Role, User, Wrong};
use ikigai_types::TaskId;
use ikigai_wire::api::{List, LoginLink, PassView, TokenRequest, UserChange, UserRequest, UserView};
use std::time::Duration;

/// How long a token works when nobody says.
const WEEK: u64 = 7 * 24 * 60 * 60;

pub(super) fn routes() -> Vec<Route> {
    let add = Operation::post("addUser", "Adds a user");
    let set = Operation::post("setUser", "Changes a user");
    let link = Operation::post("createUserLink", "A one-time link that opens the dashboard as this user");
    let new = "A new token; what its holder sends is in this answer and nowhere else";
    let new = Operation::post("createToken", new).body::<TokenRequest>();
    let end = Operation::delete("endSessionOf", "Ends a session");
    let of = |o: Operation| o.may(Action::Administer);
    vec![
        route(
            "/v1/users",
            get(users).post(add_user),
            [
                of(Operation::get("listUsers", "Users of this node").list::<UserView>("UserList")),
                of(add.body::<UserRequest>().document::<UserView>("User")),
            ],
        ),
        route(
            "/v1/users/{name}",
            post(set_user).delete(remove_user),
            [
                of(set.body::<UserChange>().document::<UserView>("User")),
                of(Operation::delete("removeUser", "Removes a user and everything that lets it in")
                    .document::<UserView>("User")),
            ],
        ),
        route("/v1/users/{name}/link", post(user_link), [of(link.document::<LoginLink>("LoginLink"))]),
        route(
            "/v1/tokens",
            get(tokens).post(new_token),
            [
                of(Operation::get("listTokens", "Tokens that work").list::<PassView>("TokenList")),
                of(new.document::<PassView>("Token")),
            ],
        ),
        route(
            "/v1/tokens/{id}",
            delete(revoke_token),
            [of(Operation::delete("revokeToken", "Takes a token back").document::<PassView>("Token"))],
        ),
        route(
            "/v1/sessions",
            get(sessions),
            [
                of(Operation::get("listSessions", "Browser sessions that last")
                    .list::<PassView>("SessionList")),
            ],
        ),
        route("/v1/sessions/{id}", delete(end_session), [of(end.document::<PassView>("Session"))]),
    ]
}

async fn users(State(app): App) -> Reply {
    let items = app.front.authority.users().into_iter().map(user_view).collect();
    document("UserList", List::<UserView> { items, next: None })
}

async fn add_user(State(app): App, body: Body) -> Reply {
    let asked: UserRequest = parse(&read(body).await?)?;
    let role = role(&asked.role)?;
    let (linux, subject) = (asked.linux.filter(|l| !l.is_empty()), asked.subject.filter(|s| !s.is_empty()));
    let user = User { name: asked.name, role, linux, subject, created: now() };
    let user = app.front.authority.add(user).await.map_err(not_made)?;
    of_user(user)
}

async fn set_user(State(app): App, Names(name): Names<String>, body: Body) -> Reply {
    let asked: UserChange = parse(&read(body).await?)?;
    let to = asked.role.as_deref().map(role).transpose()?;
    let user = app.front.authority.set(&name, |user| {
        user.role = to.unwrap_or(user.role);
        for (field, value) in [(&mut user.linux, asked.linux), (&mut user.subject, asked.subject)] {
            *field = value.map_or_else(|| field.take(), |v| Some(v).filter(|v| !v.is_empty()));
        }
    });
    of_user(user.await.map_err(not_made)?)
}

async fn remove_user(State(app): App, Names(name): Names<String>) -> Reply {
    document("User", user_view(app.front.authority.remove(&name).await.map_err(not_made)?))
}

async fn user_link(State(app): App, Names(name): Names<String>) -> Reply {
    let page = app.page_outside("login").ok_or_else(nowhere)?;
    let (code, expires_at) = app.front.authority.code_for(&name).map_err(refused)?;
    document("LoginLink", LoginLink { url: format!("{page}#{code}"), expires_at })
}

async fn tokens(State(app): App) -> Reply {
    list(&app, Kind::Token, "TokenList")
}

async fn new_token(State(app): App, Extension(who): Extension<Principal>, body: Body) -> Reply {
    let asked: TokenRequest = parse(&read(body).await?)?;
    let user = asked.user.unwrap_or_else(|| who.name().to_owned());
    if user == OWNER && who.name() != OWNER {
        return Err(refused(Wrong::Owner));
    }
    let request = Request {
        kind: Kind::Token,
        user,
        role: role(&asked.role)?,
        label: asked.name,
        life: Duration::from_secs(asked.ttl_seconds.unwrap_or(WEEK)),
        task: None,
    };
    let (pass, secret) = app.front.authority.issue(request).await.map_err(not_made)?;
    let note = Note(format!("token {} of {}, {}", pass.id, pass.user, pass.role));
    Ok(noted(document("Token", PassView { token: Some(secret), ..pass_view(pass) })?, note))
}

async fn revoke_token(State(app): App, Names(id): Names<String>) -> Reply {
    let pass = app.front.authority.revoke(Kind::Token, &id).await.map_err(not_made)?;
    document("Token", pass_view(pass))
}

async fn sessions(State(app): App) -> Reply {
    list(&app, Kind::Session, "SessionList")
}

async fn end_session(State(app): App, Names(id): Names<String>) -> Reply {
    let pass = app.front.authority.revoke(Kind::Session, &id).await.map_err(not_made)?;
    document("Session", pass_view(pass))
}

/// A user who was added or changed.
fn of_user(user: User) -> Reply {
    let note = Note(format!("{} is {}", user.name, user.role));
    Ok(noted(document("User", user_view(user))?, note))
}

fn list(app: &crate::api::Shared, kind: Kind, name: &str) -> Reply {
    let items = app.front.authority.passes(kind).into_iter().map(pass_view).collect();
    document(name, List::<PassView> { items, next: None })
}

fn role(text: &str) -> Result<Role, Failure> {
    text.parse().map_err(|e: String| Failure::usage(e, "say which with --role"))
}

fn user_view(user: User) -> UserView {
    let User { name, role, linux, subject, created } = user;
    UserView { name, role: role.to_string(), linux, subject, created_at: created }
}

pub(super) fn pass_view(pass: Pass) -> PassView {
    let what = match pass.kind {
        Kind::Token => "token",
        Kind::Session => "session",
        Kind::Share => "share",
    };
    PassView {
        id: pass.id,
        what: what.to_owned(),
        user: pass.user,
        role: pass.role.to_string(),
        name: pass.label,
        created_at: pass.created,
        expires_at: pass.until,
        task: pass.task.and_then(|t| TaskId::new(t).ok()),
        token: None,
        url: None,
    }
}
