//! Getting in by an identity provider: a browser is sent there, and who comes back is a user or is not.

use super::extract::{parse, read};
use super::session::{came_in, not_made, secure};
use super::{App, Route, route};
use crate::api::{Came, Oidc, Shared};
use crate::auth::random_hex;
use crate::authority::{cookie, cookie_name};
use crate::guard::Transport;
use crate::openapi::Operation;
use crate::reply::{Failure, Reply, document};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE, USER_AGENT};
use ikigai_access::Action;
use ikigai_ports::PortError;
use ikigai_wire::api::{Code, LoginReturn, LoginStart, LoginWays, Problem, SessionView};

/// How long the browser that left is known.
const AWAY_SECS: u64 = 10 * 60;

pub(super) fn routes() -> Vec<Route> {
    let ways = Operation::get("loginWays", "By what else than a one-time link a browser gets in");
    let begin = Operation::get("beginLogin", "Where a browser is sent to log in at the identity provider");
    let finish = "Makes what the identity provider sent a browser back with a session of the user it means";
    let finish = Operation::post("finishLogin", finish).body::<LoginReturn>();
    vec![
        route("/v1/session/ways", get(ways_in), [ways.may(Action::LogIn).document::<LoginWays>("LoginWays")]),
        route(
            "/v1/session/oidc",
            get(begin_there).post(finish_here),
            [
                begin.may(Action::LogIn).document::<LoginStart>("LoginStart"),
                finish.may(Action::LogIn).document::<SessionView>("Session"),
            ],
        ),
    ]
}

async fn ways_in(State(app): App) -> Reply {
    let oidc = app.front.oidc.as_ref().map(|o| o.provider.name().to_owned());
    document("LoginWays", LoginWays { oidc })
}

async fn begin_there(State(app): App, Extension(Came(transport)): Extension<Came>) -> Reply {
    let oidc = provider(&app)?;
    let journey = oidc.provider.begin().await.map_err(away)?;
    let (url, browser) = (journey.url.clone(), random_hex::<32>());
    app.front.authority.leave(&browser, journey);
    let mut response = document("LoginStart", LoginStart { url })?;
    let name = kept_name(transport);
    let cookie = format!(
        "{name}={browser}; HttpOnly; SameSite=Strict; Path=/v1/session/oidc; Max-Age={AWAY_SECS}{}",
        secure(transport)
    );
    let cookie = HeaderValue::from_str(&cookie).expect("invariant: what a browser keeps is hex");
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

async fn finish_here(
    State(app): App,
    Extension(Came(transport)): Extension<Came>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let oidc = provider(&app)?;
    let back: LoginReturn = parse(&read(body).await?)?;
    let browser = cookie(&headers, &kept_name(transport));
    let journey = browser.and_then(|b| app.front.authority.back(&back.state, b));
    let stale = || refused("this log-in was not begun in this browser, or is older than ten minutes");
    let journey = journey.ok_or_else(stale)?;
    let who = oidc.provider.finish(&journey, &back.code).await;
    let who = who.map_err(|e| match e {
        PortError::Refused(why) => refused(&why),
        other => away(other),
    })?;
    let label = headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let unknown = || {
        // It may be pasted into a shell, and the provider chose it.
        let quoted = who.subject.replace('\'', "'\\''");
        let hint =
            format!("an admin lets them in with: ikigai user add <name> --role viewer --oidc '{quoted}'");
        Problem::new(Code::Denied, format!("{} is no user of this node", who.subject), hint)
    };
    let opened = app.front.authority.open_for(&who, oidc.default_role, label).await.map_err(not_made)?;
    came_in(&app, transport, opened.ok_or_else(unknown)?)
}

fn provider(app: &Shared) -> Result<&Oidc, Failure> {
    let none = || Failure::not_found("this node has no identity provider", "run: ikigai open");
    app.front.oidc.as_ref().ok_or_else(none)
}

/// Name of the cookie that knows the browser again; as for sessions, each node of a machine has its own.
fn kept_name(transport: Transport) -> String {
    format!("{}-oidc", cookie_name(transport.port()))
}

fn refused(why: &str) -> Failure {
    Problem::new(Code::Unauthenticated, why, "log in again from this node's page").into()
}

fn away(error: PortError) -> Failure {
    tracing::warn!(error = error.chain(), "the identity provider");
    let hint = "who runs the node sees why in its log; a one-time link works: ikigai open";
    Problem::new(Code::Unreachable, error.to_string(), hint).into()
}
