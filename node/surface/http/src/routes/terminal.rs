//! The terminal of a task's agent, as a WebSocket: one binary message each way for each message of the terminal.

use super::App;
use super::allow::Grant;
use super::extract::{Names, Params};
use super::streams::Gone;
use crate::api::Shared;
use crate::guard::terminal::PROTOCOL;
use crate::reply::{Failure, Reply};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::StatusCode;
use ikigai_access::{OWNER, Principal};
use ikigai_ports::gate::Duplex;
use ikigai_wire::api::{Code, Problem};
use ikigai_wire::terminal::{FromClient, MAX_MESSAGE, Reader};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Terminals that are open through one node at once.
pub(crate) const TERMINALS: usize = 128;
/// What is read of a terminal at once.
const READ: usize = 32 << 10;
/// Between two questions whether a client is still there.
const PING: Duration = Duration::from_secs(7);
/// So many go without a word of it before it is taken to be gone; then its lock is free soon.
const UNANSWERED: u32 = 2;
/// How long it may take what is sent to it.
const SEND: Duration = Duration::from_secs(20);
/// Closes a WebSocket whose other end shall come back: the node stops.
const AWAY: u16 = 1001;

/// Who looks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TerminalQuery {
    /// Name under which everybody sees who types; good for who runs the node. A user has its own.
    #[serde(default, rename = "as")]
    person: Option<String>,
}

pub(super) async fn open(
    State(app): App,
    Names(id): Names<String>,
    Params(query): Params<TerminalQuery>,
    Extension(who): Extension<Principal>,
    Extension(grant): Extension<Grant>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Reply {
    let upgrade = upgrade.map_err(|e| not_upgraded(&e))?;
    let room = app.terminals.clone().try_acquire_owned();
    let room = room.map_err(|_| Problem::new(Code::Conflict, "too many terminals are open", "close some"))?;
    let terminals = app.front.terminals.clone().ok_or_else(none)?;
    let stream = terminals.attach(&id, person(&who, query.person.as_deref())).await?;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    let answer = upgrade.on_upgrade(move |socket| async move {
        let ended = grant.ended(&app);
        tokio::select! {
            () = pass(&app, socket, stream) => {}
            // Its caller may be here no more.
            () = ended => {}
        }
        drop(room);
    });
    Ok(answer.into_response())
}

/// The name others see. Who runs the node may be any of the persons at its machine, and says which.
fn person<'a>(who: &'a Principal, says: Option<&'a str>) -> &'a str {
    match (who.name(), says) {
        (OWNER, Some(name)) => name,
        (name, _) => name,
    }
}

fn not_upgraded(rejection: &WebSocketUpgradeRejection) -> Failure {
    let problem =
        Problem::new(Code::Usage, rejection.body_text(), "a terminal is a WebSocket; run: ikigai attach");
    Failure { status: StatusCode::UPGRADE_REQUIRED, problem }
}

fn none() -> Failure {
    Failure::not_found("this node has no terminals", "see GET /openapi.json")
}

/// Passes messages both ways until either side ends, or the node does.
async fn pass(app: &Arc<Shared>, mut socket: WebSocket, stream: Box<dyn Duplex>) {
    let (mut read, mut write) = split(stream);
    let (mut messages, mut buffer) = (Reader::default(), vec![0; READ]);
    let (mut beat, mut unanswered) = (interval(PING), 0);
    beat.reset();
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => {
                let frame = CloseFrame { code: AWAY, reason: "the node stops".into() };
                send(&mut socket, Message::Close(Some(frame))).await.ok();
                return;
            }
            read = read.read(&mut buffer) => {
                let Ok(n @ 1..) = read else { break };
                messages.push(&buffer[..n]);
                while let Ok(Some(message)) = messages.message() {
                    if send(&mut socket, Message::Binary(message.to_vec().into())).await.is_err() {
                        return;
                    }
                }
            }
            message = socket.recv() => {
                unanswered = 0;
                match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        let Ok(message) = FromClient::decode(&bytes) else { break };
                        if write.write_all(&message.frame()).await.is_err() {
                            break;
                        }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return,
                }
            }
            _ = beat.tick() => {
                if unanswered == UNANSWERED || send(&mut socket, Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
                unanswered += 1;
            }
        }
    }
    send(&mut socket, Message::Close(None)).await.ok();
}

/// Sends a message, unless its reader takes nothing any more.
async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Gone> {
    timeout(SEND, socket.send(message)).await.map_err(|_| Gone)?.map_err(|_| Gone)
}
