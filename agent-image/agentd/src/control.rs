//! The connection on which the node tells agentd what to do.

use crate::editor::Editor;
use crate::gateway::{Gateway, Pause, Upgraded};
use crate::stop::Stopper;
use crate::terminal::Terminal;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, WriteHalf, copy, split};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// An order is one JSON line of at most this many bytes.
const MAX_ORDER: u64 = 4 << 10;
/// How long a person who types is waited for when the node does not answer.
const RETURN: Duration = Duration::from_secs(3);
/// How long one direction of a stream may outlive the other: what was on its way still arrives.
const HALF_OPEN: Duration = Duration::from_secs(2);
/// Answers that may wait to be sent.
const ANSWERS: usize = 64;

/// What the node wants.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Finish,
    /// A person types: the program's end is told later.
    Hold,
    Release,
    DialEditor {
        id: u64,
    },
    DialTerminal {
        id: u64,
    },
    Unknown {
        id: Option<u64>,
    },
}

/// What orders are about.
#[derive(Debug, Clone)]
pub struct Obeying {
    /// What is dialled.
    pub editor: Editor,
    /// The same.
    pub terminal: Terminal,
    /// Whether a person holds the agent.
    pub held: Arc<watch::Sender<bool>>,
    /// How the end is asked for.
    pub stopper: Stopper,
}

/// Keeps the control connection for as long as agentd lives; the node may go away and come back.
pub async fn keep(gateway: Gateway, over: Obeying) {
    loop {
        let connecting = connect(&gateway);
        tokio::pin!(connecting);
        let stream = match timeout(RETURN, connecting.as_mut()).await {
            Ok(stream) => stream,
            Err(_) => {
                // A node that is gone holds nobody. Before that a break frees nothing, for it may be the agent's
                // doing; a node that comes back says whether anybody types.
                over.held.send_replace(false);
                connecting.await
            }
        };
        // However it ended, the next thing to do is the same.
        obey(stream, &gateway, &over).await.ok();
        Pause::default().wait().await;
    }
}

async fn connect(gateway: &Gateway) -> Upgraded {
    let mut pause = Pause::default();
    loop {
        if let Ok(stream) = gateway.upgrade("/agentd/control", "ikigai-control").await {
            return stream;
        }
        pause.wait().await;
    }
}

async fn obey(stream: Upgraded, gateway: &Gateway, over: &Obeying) -> io::Result<()> {
    let (read, write) = split(stream);
    let mut orders = BufReader::new(read);
    let (answers, waiting) = mpsc::channel(ANSWERS);
    let writer = tokio::spawn(answer(write, waiting));
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut orders).take(MAX_ORDER).read_until(b'\n', &mut line).await?;
        if !line.ends_with(b"\n") {
            writer.abort();
            return Ok(());
        }
        match parse(&line) {
            Order::Finish => over.stopper.ask(Signal::TERM),
            Order::Hold => drop(over.held.send_replace(true)),
            Order::Release => drop(over.held.send_replace(false)),
            Order::DialEditor { id } => {
                tokio::spawn(dial(id, gateway.clone(), over.editor.clone(), answers.clone()));
            }
            Order::DialTerminal { id } => {
                tokio::spawn(dial_terminal(id, gateway.clone(), over.terminal.clone(), answers.clone()));
            }
            Order::Unknown { id: Some(id) } => {
                answers.send(failed(id, "this agentd does not know the order")).await.ok();
            }
            Order::Unknown { id: None } => {}
        }
    }
}

fn parse(line: &[u8]) -> Order {
    let order: Value = serde_json::from_slice(line).unwrap_or_default();
    let id = order["id"].as_u64();
    match (order["order"].as_str(), id) {
        (Some("finish"), _) => Order::Finish,
        (Some("hold"), _) => Order::Hold,
        (Some("release"), _) => Order::Release,
        (Some("dial-editor"), Some(id)) => Order::DialEditor { id },
        (Some("dial-terminal"), Some(id)) => Order::DialTerminal { id },
        _ => Order::Unknown { id },
    }
}

fn failed(id: u64, error: &str) -> Value {
    json!({ "failed": id, "error": error })
}

async fn answer(mut write: WriteHalf<Upgraded>, mut waiting: mpsc::Receiver<Value>) {
    while let Some(answer) = waiting.recv().await {
        if write.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Brings a new stream to the node and joins it to the editor.
async fn dial(id: u64, gateway: Gateway, editor: Editor, answers: mpsc::Sender<Value>) {
    let mut inside = match editor.open().await {
        Ok(open) => open,
        Err(error) => {
            // When the control connection is gone, nobody waits for the answer.
            answers.send(failed(id, &error.to_string())).await.ok();
            return;
        }
    };
    match gateway.upgrade(&format!("/agentd/streams/{id}"), "ikigai-stream").await {
        Ok(outside) => splice(&mut inside.stream, outside).await,
        Err(error) => drop(answers.send(failed(id, &format!("cannot reach the gateway: {error}"))).await),
    }
}

/// Brings a new stream to the node and serves the terminal on it.
async fn dial_terminal(id: u64, gateway: Gateway, terminal: Terminal, answers: mpsc::Sender<Value>) {
    match gateway.upgrade(&format!("/agentd/streams/{id}"), "ikigai-stream").await {
        Ok(outside) => terminal.serve(outside).await,
        Err(error) => drop(answers.send(failed(id, &format!("cannot reach the gateway: {error}"))).await),
    }
}

/// Joins the two until either ends. No side of a stream goes on alone: code-server would keep a closed tab's
/// WebSocket half open for 30 s more.
async fn splice(inside: &mut UnixStream, outside: Upgraded) {
    let (mut from_inside, mut to_inside) = inside.split();
    let (mut from_outside, mut to_outside) = split(outside);
    let inward = async {
        copy(&mut from_outside, &mut to_inside).await.ok();
        to_inside.shutdown().await.ok();
    };
    let outward = async {
        copy(&mut from_inside, &mut to_outside).await.ok();
        to_outside.shutdown().await.ok();
    };
    tokio::pin!(inward, outward);
    tokio::select! {
        () = &mut inward => drop(timeout(HALF_OPEN, outward).await),
        () = &mut outward => drop(timeout(HALF_OPEN, inward).await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Order) {
        assert_eq!(parse(line.as_bytes()), expect, "{line}");
    }

    #[test]
    fn orders_are_read_and_what_is_no_order_is_none() {
        check(r#"{"order":"finish"}"#, Order::Finish);
        check(r#"{"order":"dial-editor","id":7}"#, Order::DialEditor { id: 7 });
        check(r#"{"order":"dial-terminal","id":8}"#, Order::DialTerminal { id: 8 });
        check(r#"{"order":"hold"}"#, Order::Hold);
        check(r#"{"order":"release"}"#, Order::Release);
        check(r#"{"order":"dial-editor"}"#, Order::Unknown { id: None });
        check(r#"{"order":"dial-editor","id":-1}"#, Order::Unknown { id: None });
        check(r#"{"order":"dance","id":3}"#, Order::Unknown { id: Some(3) });
        check("", Order::Unknown { id: None });
        check("[1]", Order::Unknown { id: None });
    }
}
