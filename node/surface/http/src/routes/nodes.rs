//! Nodes: list, show, cordon, uncordon, drain.

use super::App;
use super::actions::command;
use super::extract::{Names, parse, read};
use crate::api::Shared;
use crate::reply::{Failure, Reply, document};
use axum::body::Body;
use axum::extract::State;
use ikigai_wire::api::{Code, Filter, List, NodeView, Problem};

pub(super) async fn list(State(app): App) -> Reply {
    document("NodeList", List { items: nodes(&app).await?, next: None })
}

pub(super) async fn show(State(app): App, Names(id): Names<String>) -> Reply {
    document("Node", find(&app, &id).await?)
}

pub(super) async fn steer(
    State(app): App,
    Names((id, action)): Names<(String, String)>,
    body: Body,
) -> Reply {
    let command = command(&action, parse(&read(body).await?)?)?;
    let node = find(&app, &id).await?.id;
    document("Node", app.handle.steer(&node, command).await?)
}

/// Every node, the one that answers first.
pub(super) async fn nodes(app: &Shared) -> Result<Vec<NodeView>, Failure> {
    Ok(app.handle.snapshot(Filter::default()).await?.nodes)
}

/// The node that answers.
pub(super) async fn own(app: &Shared) -> Result<NodeView, Failure> {
    let snapshot = app.handle.snapshot(Filter::default()).await?;
    let own = snapshot.nodes.into_iter().find(|n| n.id == snapshot.node);
    own.ok_or_else(|| Problem::plain(Code::Failed, "the node does not know itself yet").into())
}

/// The node called `given`: its name, its whole id, or the beginning of its id from eight digits on.
async fn find(app: &Shared, given: &str) -> Result<NodeView, Failure> {
    let nodes = nodes(app).await?;
    let fits = |n: &&NodeView| n.name == given || (given.len() >= 8 && n.id.to_string().starts_with(given));
    let mut found = nodes.iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(node), None) => Ok(node.clone()),
        (None, _) => {
            Err(Failure::not_found(format!("there is no node `{}`", short(given)), "run: ikigai node ls"))
        }
        _ => Err(Failure::usage(format!("`{}` is more than one node", short(given)), "use the whole id")),
    }
}

fn short(given: &str) -> String {
    given.chars().filter(|c| !c.is_control()).take(80).collect()
}
