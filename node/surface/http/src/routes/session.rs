//! Getting in by browser: a link, the session it becomes, and its end.

use super::App;
use super::extract::{parse, read};
use crate::api::Port;
use crate::reply::{Failure, Reply, document};
use crate::sessions::cookie_name;
use crate::site::nowhere;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE};
use ikigai_ports::PortError;
use ikigai_wire::api::{Code, LoginLink, LoginRequest, Problem, SessionView};

pub(super) async fn link(State(app): App) -> Reply {
    let address = app.listens_on().ok_or_else(nowhere)?;
    if app.front.site.is_none() {
        return Err(nowhere());
    }
    let (code, expires_at) = app.front.sessions.code();
    document("LoginLink", LoginLink { url: format!("http://{address}/login#{code}"), expires_at })
}

pub(super) async fn open(State(app): App, Extension(Port(port)): Extension<Port>, body: Body) -> Reply {
    let request: LoginRequest = parse(&read(body).await?)?;
    let opened = app.front.sessions.open(&request.code).await.map_err(not_kept)?;
    let refused = || {
        let text = "this link was used, or is older than five minutes";
        Problem::new(Code::Unauthenticated, text, "run: ikigai open")
    };
    let opened = opened.ok_or_else(refused)?;
    let name = cookie_name(port);
    let seconds = opened.until.since(crate::sessions::now()).as_secs();
    let cookie = format!("{name}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}", opened.cookie);
    let mut response = document("Session", SessionView { expires_at: opened.until, key: Some(opened.key) })?;
    set(&mut response, &cookie);
    Ok(response)
}

pub(super) async fn show(
    State(app): App,
    Extension(Port(port)): Extension<Port>,
    headers: HeaderMap,
) -> Reply {
    let none = || Failure::not_found("this request has no session", "run: ikigai open");
    let expires_at = app.front.sessions.admits(&headers, port).ok_or_else(none)?;
    document("Session", SessionView { expires_at, key: None })
}

pub(super) async fn end(
    State(app): App,
    Extension(Port(port)): Extension<Port>,
    headers: HeaderMap,
) -> Reply {
    let none = || Failure::not_found("this request has no session", "run: ikigai open");
    let expires_at = app.front.sessions.admits(&headers, port).ok_or_else(none)?;
    app.front.sessions.close(&headers, port).await.map_err(not_kept)?;
    let mut response = document("Session", SessionView { expires_at, key: None })?;
    set(&mut response, &format!("{}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0", cookie_name(port)));
    Ok(response)
}

fn set(response: &mut axum::response::Response, cookie: &str) {
    let cookie = HeaderValue::from_str(cookie).expect("invariant: a session is hex");
    response.headers_mut().insert(SET_COOKIE, cookie);
}

fn not_kept(error: PortError) -> Failure {
    Problem::new(Code::Failed, format!("the session cannot be stored: {error}"), "run: ikigai doctor").into()
}
