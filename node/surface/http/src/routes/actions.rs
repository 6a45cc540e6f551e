//! What can be done to one task.

use super::App;
use super::allow::Grant;
use super::extract::{Names, key, parse, read};
use crate::reply::{Failure, Reply, document, json, json_response};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ikigai_access::Action;
use ikigai_types::TaskId;
use ikigai_wire::api::{Command, Document};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(super) async fn act(
    State(app): App,
    Names((id, action)): Names<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = read(body).await?;
    let command: Command = command(&action, parse(&body)?)?;
    let task = app.handle.task(&id).await?.id;
    let key = key(&headers)?.map(|key| format!("{task} {action} {key}"));
    let run = async {
        let view = app.handle.command(&task, command).await?;
        json(&Document::new("Task", view))
    };
    Ok(json_response(StatusCode::OK, app.answered.once(key, &body, run).await?))
}

pub(super) async fn open(
    State(app): App,
    Names(id): Names<String>,
    Extension(grant): Extension<Grant>,
) -> Reply {
    let task: TaskId = app.handle.task(&id).await?.id;
    let view = app.handle.open(&task).await?;
    if let Some(links) = &app.front.editors {
        links.tie(&view.url, grant.holder(&app));
    }
    document("EditorLink", view)
}

/// What a command does, for the policy.
pub(super) fn does(command: &str) -> Action {
    match command {
        "accept" | "reject" => Action::Decide,
        "comment" => Action::Comment,
        _ => Action::Steer,
    }
}

/// `action` of the path and `fields` of the body as one command; a field it does not have is refused.
pub(super) fn command<C: DeserializeOwned + Serialize>(
    action: &str,
    mut fields: Map<String, Value>,
) -> Result<C, Failure> {
    let given: Vec<String> = fields.keys().cloned().collect();
    fields.insert("kind".into(), action.into());
    let command: C = serde_json::from_value(fields.into()).map_err(|e| unknown(action, &e.to_string()))?;
    let known = serde_json::to_value(&command).unwrap_or_default();
    match given.iter().find(|name| *name == "kind" || known.get(name.as_str()).is_none()) {
        Some(name) => Err(unknown(action, &format!("unknown field `{name}`"))),
        None => Ok(command),
    }
}

fn unknown(action: &str, what: &str) -> Failure {
    Failure::usage(format!("`{action}` is not as documented: {what}"), "see GET /openapi.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(action: &str, body: &str) -> Result<Command, String> {
        command(action, serde_json::from_str(body).unwrap()).map_err(|f| f.problem.message)
    }

    #[test]
    fn the_path_names_the_command_and_the_body_its_fields() {
        assert_eq!(read("stop", "{}"), Ok(Command::Stop));
        assert_eq!(read("accept", r#"{"force":true}"#), Ok(Command::Accept { force: true }));
        assert_eq!(read("evict", r#"{"graceSeconds":5}"#), Ok(Command::Evict { grace: 5 }));
        for (action, body) in [
            ("stop", r#"{"force":true}"#),
            ("accept", r#"{"forse":true}"#),
            ("accept", r#"{"kind":"stop"}"#),
            ("accept", r#"{"force":"yes"}"#),
            ("comment", "{}"),
            ("explode", "{}"),
        ] {
            assert!(read(action, body).is_err(), "{action} {body}");
        }
    }
}
