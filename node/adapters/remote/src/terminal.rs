//! An agent's terminal, over a WebSocket to the node.

use crate::call::{broken, encode, problem};
use crate::node::RemoteNode;
use crate::target::Target;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ikigai_ports::node::Answer;
use ikigai_types::TaskId;
use ikigai_wire::api::{Code, Problem};
use ikigai_wire::terminal::{FromClient, FromTerminal, MAX_MESSAGE};
use std::fmt;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// The protocol that is spoken.
const PROTOCOL: &str = "ikigai.terminal.v1";
/// How long the node may take to open it: the agent may be on another, and its shell may have to be started.
const OPENING: Duration = Duration::from_secs(20);

/// An open terminal.
pub struct Terminal {
    target: Target,
    socket: WebSocketStream<TokioIo<Upgraded>>,
}

impl RemoteNode {
    /// Opens the terminal of `task`'s running agent, for `person`. The first message is the caller's.
    ///
    /// # Errors
    /// What the node says; [`Code::Unreachable`] when it does not answer.
    pub async fn attach(&self, task: &TaskId, person: &str) -> Answer<Terminal> {
        let target = self.target();
        let path = format!("/v1/tasks/{}/terminal?as={}", encode(task.as_str()), encode(person));
        let opened = tokio::time::timeout(OPENING, upgrade(target, &path)).await;
        let upgraded = opened.map_err(|_| broken(target, "the terminal did not open in time"))??;
        let config =
            WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
        Ok(Terminal { target: target.clone(), socket })
    }
}

impl Terminal {
    /// Says something to it.
    ///
    /// # Errors
    /// [`Code::Unreachable`] when the connection is broken.
    pub async fn say(&mut self, message: &FromClient) -> Answer<()> {
        let sent = self.socket.send(Message::Binary(message.encode().into())).await;
        sent.map_err(|e| broken(&self.target, &e.to_string()))
    }

    /// What it says next; `None` when it ended. Cancel-safe.
    ///
    /// # Errors
    /// [`Code::Unreachable`] when the connection is broken, [`Code::Failed`] for what is no message.
    pub async fn next(&mut self) -> Answer<Option<FromTerminal>> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let read = FromTerminal::decode(&bytes).map(Some);
                    return read
                        .map_err(|e| Problem::new(Code::Failed, e.to_string(), "run: ikigai version"));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_)) | None => return Ok(None),
                Some(Err(e)) => return Err(broken(&self.target, &e.to_string())),
            }
        }
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("target", &self.target).finish_non_exhaustive()
    }
}

async fn upgrade(target: &Target, path: &str) -> Answer<Upgraded> {
    let stream = target.connect().await?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|e| broken(target, &e.to_string()))?;
    tokio::spawn(connection.with_upgrades());
    let mut request = Request::builder().uri(path).header(HOST, target.host());
    if let Some(bearer) = target.bearer() {
        request = request.header(AUTHORIZATION, bearer);
    }
    let request = request
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, generate_key())
        .header(SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .body(Empty::<Bytes>::new());
    let request =
        request.map_err(|e| Problem::plain(Code::Usage, format!("the request cannot be sent: {e}")))?;
    let response = sender.send_request(request).await.map_err(|e| broken(target, &e.to_string()))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(problem(target, response).await);
    }
    hyper::upgrade::on(response).await.map_err(|e| broken(target, &e.to_string()))
}
