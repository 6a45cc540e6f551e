//! One agent's lock, and everybody who wants to know who has it.

use crate::host::Host;
use ikigai_ports::Clock;
use ikigai_task::Lock;
use ikigai_task::lock::{Locked, Turn};
use ikigai_types::{Fence, Writer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Who types in an agent's terminal, from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change(pub(crate) Option<Writer>);

/// The lock of one agent's terminal.
#[derive(Debug)]
pub(super) struct Desk {
    fence: Fence,
    clock: Arc<dyn Clock>,
    host: Host,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    lock: Lock,
    /// Connections by the client they are of: one that comes back may be there before its old one is seen to end.
    present: HashMap<String, usize>,
    /// Somebody waits to free the lock when its time is over.
    watched: bool,
}

/// Who has the lock, as one client is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) writer: Option<String>,
    pub(super) you: bool,
}

impl Desk {
    pub(super) fn new(fence: Fence, clock: Arc<dyn Clock>, host: Host) -> Self {
        Self { fence, clock, host, state: Mutex::default(), changed: watch::Sender::new(0) }
    }

    pub(super) fn is_held(&self) -> bool {
        self.state().lock.writer().is_some()
    }

    /// Changes whenever the lock does.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn held(&self, client: &str) -> Held {
        let state = self.state();
        Held { writer: state.lock.writer().map(|w| w.name.clone()), you: state.lock.is_held_by(client) }
    }

    /// Whether it is `client` that types, and `writer` who it is of.
    pub(super) fn is_typed_by(&self, client: &str, writer: &Writer) -> bool {
        let state = self.state();
        state.lock.is_held_by(client) && state.lock.writer() == Some(writer)
    }

    /// `client` wants to type, or types.
    pub(super) fn take(self: &Arc<Self>, client: &str, writer: &Writer, force: bool) -> Result<Turn, Locked> {
        let mut state = self.state();
        let turn = state.lock.take(client, writer, force, self.clock.now())?;
        if turn == Turn::New {
            self.publish(&state);
            if !std::mem::replace(&mut state.watched, true) {
                tokio::spawn(self.clone().watch());
            }
        }
        Ok(turn)
    }

    /// `client` types no more; `None`: nor does whoever it is.
    pub(super) fn hand_back(&self, client: Option<&str>) {
        let mut state = self.state();
        if state.lock.hand_back(client) {
            self.publish(&state);
        }
    }

    /// A connection of `client` is there, and goes on typing if it did. The answer is held while it is there.
    pub(super) fn enter(self: &Arc<Self>, client: &str, writer: &Writer) -> Present {
        let mut state = self.state();
        state.lock.back(client, writer, self.clock.now());
        *state.present.entry(client.to_owned()).or_default() += 1;
        Present { desk: self.clone(), client: client.to_owned() }
    }

    fn leave(&self, client: &str) {
        let mut state = self.state();
        let left = state.present.get_mut(client).map_or(0, |n| {
            *n -= 1;
            *n
        });
        if left == 0 {
            state.present.remove(client);
            state.lock.away(client, self.clock.now());
            // Whoever waits for its time looks again: it may be sooner now.
            self.changed.send_modify(|n| *n += 1);
        }
    }

    /// Frees the lock when its time is over.
    async fn watch(self: Arc<Self>) {
        let mut changes = self.changes();
        loop {
            let at = {
                let (mut state, now) = (self.state(), self.clock.now());
                if state.lock.wake(now) {
                    self.publish(&state);
                }
                let Some(at) = state.lock.next_wake() else {
                    state.watched = false;
                    return;
                };
                at.since(now)
            };
            tokio::select! {
                () = self.clock.sleep(at) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Under the lock, so that changes are told in their order.
    fn publish(&self, state: &State) {
        self.host.types(&self.fence, Change(state.lock.writer().cloned()));
        self.changed.send_modify(|n| *n += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("invariant: no panic while it is held")
    }
}

/// A connection that is there.
pub(super) struct Present {
    desk: Arc<Desk>,
    client: String,
}

impl Drop for Present {
    fn drop(&mut self) {
        self.desk.leave(&self.client);
    }
}
