//! An arbiter that forgets when it is dropped.

use async_trait::async_trait;
use ikigai_ports::arbiter::{self, Arbiter, Claim, Held, Ruling, Standing, Taking};
use ikigai_ports::{Clock, PortResult};
use ikigai_types::{NodeId, TaskId, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The arbiter of nodes of one process.
#[derive(Debug)]
pub struct MemoryArbiter {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    there: BTreeMap<NodeId, Timestamp>,
    claims: BTreeMap<TaskId, Claim>,
}

impl MemoryArbiter {
    /// One that has heard of nobody.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("invariant: no panic while it is held")
    }
}

impl State {
    fn write(&mut self, task: &TaskId, held: Held) -> Ruling {
        match held {
            Ok(claim) => {
                self.claims.insert(task.clone(), claim);
                Ruling::Granted
            }
            Err(ruling) => ruling,
        }
    }
}

#[async_trait]
impl Arbiter for MemoryArbiter {
    async fn stand(&self, node: NodeId, lasts: Duration) -> PortResult<()> {
        let until = self.clock.now().after(lasts);
        self.state().there.insert(node, until);
        Ok(())
    }

    async fn take(&self, taking: &Taking) -> PortResult<Ruling> {
        let now = self.clock.now();
        let mut state = self.state();
        let standing = |node| match state.there.get(&node) {
            Some(until) if *until > now => Standing::There,
            Some(_) => Standing::Gone,
            None => Standing::Unheard,
        };
        let held = arbiter::take(state.claims.get(&taking.task).copied(), standing, taking);
        Ok(state.write(&taking.task, held))
    }

    async fn settle(&self, task: &TaskId, owner: NodeId, accepted: bool) -> PortResult<Ruling> {
        let mut state = self.state();
        let held = arbiter::settle(state.claims.get(task).copied(), owner, accepted);
        Ok(state.write(task, held))
    }

    async fn claims(&self, tasks: &[TaskId]) -> PortResult<Vec<(TaskId, Claim)>> {
        let state = self.state();
        let known = tasks.iter().filter_map(|t| Some((t.clone(), *state.claims.get(t)?)));
        Ok(known.collect())
    }
}
