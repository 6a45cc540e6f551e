//! Getting in by browser: a link, the session it becomes, and its end.

use super::App;
use super::extract::{parse, read};
use crate::api::{Came, Shared};
use crate::authority::{NotMade, Opened, cookie_name, now};
use crate::guard::Transport;
use crate::reply::{Failure, Note, Reply, document, noted};
use crate::site::nowhere;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE, USER_AGENT};
use ikigai_access::{Action, Kind, Pass, Principal, Resource, Via, Wrong};
use ikigai_types::Timestamp;
use ikigai_wire::api::{Code, LoginLink, LoginRequest, Problem, SessionView};

pub(super) async fn link(State(app): App, Extension(who): Extension<Principal>) -> Reply {
    let page = login_page(&app)?;
    let (code, expires_at) = app.front.authority.code(&who).map_err(refused)?;
    document("LoginLink", LoginLink { url: format!("{page}#{code}"), expires_at })
}

/// Where a browser comes in.
fn login_page(app: &Shared) -> Result<String, Failure> {
    app.page("login").ok_or_else(nowhere)
}

pub(super) async fn open(
    State(app): App,
    Extension(Came(transport)): Extension<Came>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let request: LoginRequest = parse(&read(body).await?)?;
    let browser = headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let opened = app.front.authority.open(&request.code, browser).await.map_err(not_made)?;
    let stale = || {
        let text = "this link was used, or is older than five minutes";
        Problem::new(Code::Unauthenticated, text, "run: ikigai open")
    };
    came_in(&app, transport, opened.ok_or_else(stale)?)
}

/// Gives a browser both halves of its session.
pub(super) fn came_in(app: &Shared, transport: Transport, opened: Opened) -> Reply {
    let name = cookie_name(transport.port());
    let seconds = opened.pass.until.since(now()).as_secs();
    let cookie = format!(
        "{name}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{}",
        opened.cookie,
        secure(transport)
    );
    let who = app.front.authority.holder(&opened.pass);
    let view = view(app, &who, opened.pass.until);
    let mut response = document("Session", SessionView { key: Some(opened.key), ..view })?;
    set(&mut response, &cookie);
    Ok(noted(response, Note(format!("session {} of {}", opened.pass.id, opened.pass.user))))
}

pub(super) async fn show(State(app): App, Extension(who): Extension<Principal>) -> Reply {
    let pass = session(&app, &who)?;
    document("Session", view(&app, &who, pass.until))
}

pub(super) async fn end(
    State(app): App,
    Extension(Came(transport)): Extension<Came>,
    Extension(who): Extension<Principal>,
) -> Reply {
    let pass = session(&app, &who)?;
    let view = view(&app, &who, pass.until);
    app.front.authority.revoke(Kind::Session, &pass.id).await.map_err(not_made)?;
    let mut response = document("Session", view)?;
    set(
        &mut response,
        &format!("{}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0", cookie_name(transport.port())),
    );
    Ok(response)
}

/// The session a request came with.
fn session(app: &Shared, who: &Principal) -> Result<Pass, Failure> {
    let none = || Failure::not_found("this request has no session", "run: ikigai open");
    match who {
        Principal::User { via: Via::Session(id), .. } => app.front.authority.pass(id).ok_or_else(none),
        _ => Err(none()),
    }
}

fn view(app: &Shared, who: &Principal, expires_at: Timestamp) -> SessionView {
    let Principal::User { name, role, .. } = who else { return SessionView::default() };
    let may = Action::ALL.into_iter().filter(|a| app.front.authority.allows(who, *a, &Resource::Node));
    let may = may.map(|a| a.name().to_owned()).collect();
    SessionView { expires_at, user: name.clone(), role: role.to_string(), may, key: None }
}

/// A cookie of TLS is sent over nothing else.
pub(super) fn secure(transport: Transport) -> &'static str {
    if transport.is_tls() { "; Secure" } else { "" }
}

fn set(response: &mut axum::response::Response, cookie: &str) {
    let cookie = HeaderValue::from_str(cookie).expect("invariant: a session is hex");
    response.headers_mut().insert(SET_COOKIE, cookie);
}

/// Why users, tokens and sessions stay as they are.
pub(super) fn not_made(error: NotMade) -> Failure {
    match error {
        NotMade::Wrong(wrong) => refused(wrong),
        NotMade::Store(e) => {
            Problem::new(Code::Failed, format!("it cannot be stored: {e}"), "run: ikigai doctor").into()
        }
    }
}

pub(super) fn refused(wrong: Wrong) -> Failure {
    let (code, hint) = match &wrong {
        Wrong::Name => (Code::Usage, "choose another name"),
        Wrong::Linux => (Code::Usage, "`id -un` prints the name of who runs it"),
        Wrong::Life => (Code::Usage, "say how long with --for, such as 7d"),
        Wrong::Taken(_) | Wrong::Identity(_) => (Code::Conflict, "run: ikigai user ls"),
        Wrong::Unknown(_) => (Code::NotFound, "run: ikigai user ls"),
        Wrong::Owner => (Code::Denied, "give people users of their own: ikigai user add"),
        Wrong::Token => (Code::Denied, "an admin makes a link for a browser: ikigai user link"),
        Wrong::NoPass(_) => {
            (Code::NotFound, "list them with `ls`; the beginning of an id, four digits or more, will do")
        }
        Wrong::Full(_) => (Code::Denied, "take some back that nobody needs"),
    };
    Problem::new(code, wrong.to_string(), hint).into()
}
