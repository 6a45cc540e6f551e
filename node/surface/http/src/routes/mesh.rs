//! Who is in the mesh: show, invite, join, remove.

use super::App;
use super::extract::{Names, parse, read};
use crate::api::Shared;
use crate::reply::{Failure, Reply, document};
use axum::body::Body;
use axum::extract::State;
use ikigai_ports::Enrolment;
use ikigai_types::NodeId;
use ikigai_wire::api::{Code, InviteRequest, JoinRequest, List, Problem};

pub(super) async fn show(State(app): App) -> Reply {
    document("Mesh", enrolment(&app)?.mesh().await?)
}

pub(super) async fn join(State(app): App, body: Body) -> Reply {
    let request: JoinRequest = parse(&read(body).await?)?;
    document("Joined", enrolment(&app)?.join(request).await?)
}

pub(super) async fn invitations(State(app): App) -> Reply {
    document("InvitationList", List { items: enrolment(&app)?.invitations().await?, next: None })
}

pub(super) async fn invite(State(app): App, body: Body) -> Reply {
    let request: InviteRequest = parse(&read(body).await?)?;
    document("Invitation", enrolment(&app)?.invite(request).await?)
}

pub(super) async fn revoke(State(app): App, Names(id): Names<String>) -> Reply {
    document("Invitation", enrolment(&app)?.revoke(&id).await?)
}

/// By the whole id only: nobody is taken out by a name that another node may have too.
pub(super) async fn remove(State(app): App, Names(id): Names<String>) -> Reply {
    let node: NodeId = id.parse().map_err(|_| {
        let text = "a node is taken out of the mesh by its whole id";
        Failure::usage(text, "GET /v1/mesh names the id of each")
    })?;
    document("Member", enrolment(&app)?.remove(&node).await?)
}

fn enrolment(app: &Shared) -> Result<&dyn Enrolment, Failure> {
    let none = || Problem::new(Code::Denied, "this node is in no mesh", "see `mesh` in its configuration");
    Ok(app.front.enrolment.as_deref().ok_or_else(none)?)
}
