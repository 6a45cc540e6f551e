//! The ways by which this node tells people that it needs them.

use super::{App, Route, route};
use crate::api::Shared;
use crate::openapi::Operation;
use crate::reply::{Failure, Reply, document};
use axum::extract::State;
use axum::routing::{get, post};
use ikigai_access::Action;
use ikigai_ports::Notices;
use ikigai_wire::api::{ChannelView, Code, List, Problem};

pub(super) fn routes() -> Vec<Route> {
    let list = Operation::get("listChannels", "The ways by which this node tells people that it needs them");
    let test = Operation::post(
        "testChannels",
        "Sends a message that says it is a test by every way, and answers what came of it",
    );
    vec![
        route("/v1/notifications", get(show), [list.may(Action::Read).list::<ChannelView>("ChannelList")]),
        route(
            "/v1/notifications/test",
            post(send),
            [test.may(Action::Operate).list::<ChannelView>("ChannelList")],
        ),
    ]
}

async fn show(State(app): App) -> Reply {
    let items = match app.front.notices.as_deref() {
        Some(notices) => notices.channels().await?,
        None => Vec::new(),
    };
    document("ChannelList", List { items, next: None })
}

async fn send(State(app): App) -> Reply {
    document("ChannelList", List { items: notices(&app)?.test().await?, next: None })
}

fn notices(app: &Shared) -> Result<&dyn Notices, Failure> {
    let none = || {
        Problem::new(Code::NotFound, "this node tells nobody anything", "see [notify] in its configuration")
    };
    Ok(app.front.notices.as_deref().ok_or_else(none)?)
}
