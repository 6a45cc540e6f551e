//! agentd's side of a gate: the connection it takes orders on, and the streams it brings.
//!
//! Whatever runs in the container can open these connections as well as agentd can. So an order goes out,
//! and nothing comes in but a stream that was asked for, and the word that one failed.

use crate::limits::GateLimits;
use crate::route::clean;
use futures::StreamExt;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ikigai_ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, LinesCodec};

/// Longest line agentd may send.
const LINE_MAX: usize = 4 << 10;
/// Orders that may wait to be written; more than can be pending at a time.
const ORDERS: usize = 256;
/// Longest wait for agentd to read an order.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// A stream from agentd, or why there is none.
type Brought = Result<TokioIo<Upgraded>, String>;

/// What a node tells agentd, one JSON line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
enum Order {
    Finish,
    Hold,
    Release,
    DialEditor { id: u64 },
    DialTerminal { id: u64 },
}

/// What a stream leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Door {
    Editor,
    Terminal,
}

impl Door {
    fn order(self, id: u64) -> Order {
        match self {
            Self::Editor => Order::DialEditor { id },
            Self::Terminal => Order::DialTerminal { id },
        }
    }
}

/// What agentd answers: that a stream cannot be brought.
#[derive(Debug, Deserialize)]
struct Failed {
    failed: u64,
    #[serde(default)]
    error: String,
}

/// The orders of one gate and who takes them.
#[derive(Debug, Default)]
pub(crate) struct Agentd {
    state: Mutex<State>,
    /// Whether a control connection is there.
    connected: watch::Sender<bool>,
    /// Whether a person types, and the agent gets no new turn.
    held: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    control: Option<mpsc::Sender<Order>>,
    finish: bool,
    held: bool,
    last: u64,
    dials: BTreeMap<u64, (Door, oneshot::Sender<Brought>)>,
}

impl Agentd {
    /// Asks for a stream to `door` and waits for it. Cancel-safe.
    pub(crate) async fn dial(
        &self,
        door: Door,
        agent: &str,
        limits: &GateLimits,
    ) -> PortResult<TokioIo<Upgraded>> {
        let (_waiting, brought) = self.ask(door, agent, limits.dials)?;
        self.wait_for_control(agent, limits.control_time).await?;
        match timeout(limits.dial_time, brought).await {
            Ok(Ok(Ok(stream))) => Ok(stream),
            Ok(Ok(Err(why))) => Err(away(agent, format!("its agentd says: {why}"))),
            Ok(Err(_)) => Err(away(agent, "its stream was replaced".into())),
            Err(_) => Err(away(agent, format!("no stream came within {} s", limits.dial_time.as_secs()))),
        }
    }

    /// Asks agentd to end; also one that connects later, or again.
    pub(crate) async fn finish(&self, agent: &str, limits: &GateLimits) -> PortResult<()> {
        {
            let mut state = self.state();
            state.finish = true;
            state.order(Order::Finish);
        }
        self.wait_for_control(agent, limits.control_time).await
    }

    /// A person types from now on, or nobody does any more.
    pub(crate) fn hold(&self, held: bool) {
        {
            let mut state = self.state();
            if std::mem::replace(&mut state.held, held) != held {
                state.order(if held { Order::Hold } else { Order::Release });
            }
        }
        self.held.send_replace(held);
    }

    /// Returns when nobody types. Cancel-safe.
    pub(crate) async fn released(&self) {
        // It cannot fail: this side holds the sender.
        self.held.subscribe().wait_for(|held| !held).await.ok();
    }

    /// The waiting dial that `id` stands for; it can be answered once.
    pub(crate) fn take(&self, id: u64) -> Option<oneshot::Sender<Brought>> {
        self.state().dials.remove(&id).map(|(_, waiting)| waiting)
    }

    /// Serves a control connection until it ends or a newer one replaces it.
    pub(crate) async fn serve(&self, stream: impl AsyncRead + AsyncWrite) {
        let mut orders = self.attach();
        let (read, mut write) = tokio::io::split(stream);
        let mut lines = FramedRead::new(read, LinesCodec::new_with_max_length(LINE_MAX));
        loop {
            tokio::select! {
                order = orders.recv() => {
                    let Some(order) = order else { break };
                    let mut line = serde_json::to_vec(&order).expect("invariant: an order is JSON");
                    line.push(b'\n');
                    if !matches!(timeout(WRITE_TIME, write.write_all(&line)).await, Ok(Ok(()))) {
                        break;
                    }
                }
                line = lines.next() => match line.map(|line| line.ok().and_then(|l| serde_json::from_str(&l).ok())) {
                    Some(Some(failed)) => self.failed(failed),
                    _ => break,
                }
            }
        }
        self.detach(&orders);
    }

    fn failed(&self, failed: Failed) {
        if let Some(waiting) = self.take(failed.failed) {
            // Whoever asked may have given up.
            waiting.send(Err(clean(&failed.error))).ok();
        }
    }

    /// Makes this the control connection and gives it everything that is still to be done.
    fn attach(&self) -> mpsc::Receiver<Order> {
        let (control, orders) = mpsc::channel(ORDERS);
        let mut state = self.state();
        state.control = Some(control);
        // An agentd keeps what it was told last, also over a break, so it is told either way.
        let held = if state.held { Order::Hold } else { Order::Release };
        state.order(held);
        if state.finish {
            state.order(Order::Finish);
        }
        let pending: Vec<Order> = state.dials.iter().map(|(id, (door, _))| door.order(*id)).collect();
        pending.into_iter().for_each(|order| state.order(order));
        self.connected.send_replace(true);
        orders
    }

    fn detach(&self, orders: &mpsc::Receiver<Order>) {
        let mut state = self.state();
        // Only the connection that is in force still has its sender: an older one lost it to the newer.
        if orders.sender_strong_count() > 0 {
            state.control = None;
        }
        self.connected.send_replace(state.control.is_some());
    }

    fn ask(
        &self,
        door: Door,
        agent: &str,
        most: usize,
    ) -> PortResult<(Waiting<'_>, oneshot::Receiver<Brought>)> {
        let (answer, brought) = oneshot::channel();
        let mut state = self.state();
        if state.dials.len() >= most {
            return Err(away(agent, format!("{most} streams are being waited for already")));
        }
        state.last += 1;
        let id = state.last;
        state.dials.insert(id, (door, answer));
        state.order(door.order(id));
        Ok((Waiting { agentd: self, id }, brought))
    }

    async fn wait_for_control(&self, agent: &str, longest: Duration) -> PortResult<()> {
        let mut connected = self.connected.subscribe();
        match timeout(longest, connected.wait_for(|there| *there)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(away(agent, format!("its agentd did not connect within {} s", longest.as_secs()))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Hands an order over, if somebody is there; otherwise it is among what the next one is given.
    fn order(&mut self, order: Order) {
        if self.control.as_ref().is_some_and(|control| control.try_send(order).is_err()) {
            // It does not read: without its sender it ends, and agentd connects anew.
            self.control = None;
        }
    }
}

/// A dial that is forgotten when nobody waits for it any more.
struct Waiting<'a> {
    agentd: &'a Agentd,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.agentd.take(self.id);
    }
}

fn away(agent: &str, why: String) -> PortError {
    PortError::unavailable(format!("the workload of {agent}"), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_the_lines_agentd_reads() {
        let line = |order| serde_json::to_string(&order).unwrap();
        assert_eq!(line(Order::Finish), r#"{"order":"finish"}"#);
        assert_eq!(line(Order::Hold), r#"{"order":"hold"}"#);
        assert_eq!(line(Order::Release), r#"{"order":"release"}"#);
        assert_eq!(line(Order::DialEditor { id: 7 }), r#"{"order":"dial-editor","id":7}"#);
        assert_eq!(line(Order::DialTerminal { id: 8 }), r#"{"order":"dial-terminal","id":8}"#);
    }
}
