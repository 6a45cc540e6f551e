//! All gates of a node.

use crate::agentd::Door;
use crate::gate::Gate;
use crate::limits::GateLimits;
use crate::listen;
use crate::none::NoModel;
use crate::tied::Tied;
use async_trait::async_trait;
use ikigai_ports::gate::{Duplex, GateOrder, GatePolicy, Gates};
use ikigai_ports::{Model, PortError, PortResult};
use ikigai_types::{Egress, Fence, Prices, Usage};
use ikigai_wire::agent::GATEWAY_SOCKET;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Closed gates whose totals are remembered, so that closing one twice answers the same.
const CLOSED_MAX: usize = 256;

/// What the gates of a node have in common.
#[derive(Debug, Clone, Default)]
pub struct GatewayOptions {
    /// The providers, by the name a [`GatePolicy`] calls them.
    pub models: BTreeMap<String, Arc<dyn Model>>,
    /// What their models cost.
    pub prices: Prices,
    /// The hosts this node lets agents reach, as far as their task lists them too.
    pub egress: Egress,
    /// What each attempt may take.
    pub limits: GateLimits,
}

/// Opens and closes gates.
///
/// * Opening is idempotent by fence. A higher epoch of an attempt closes the gate of a lower one; a lower
///   epoch is refused as [`PortError::Conflict`].
/// * A call to the provider that is under way when its gate closes has five seconds to say its usage;
///   otherwise what the attempt cost is unknown.
/// * Dropping the gateway closes nothing: close each gate.
#[derive(Debug)]
pub struct Gateway {
    models: BTreeMap<String, Arc<dyn Model>>,
    prices: Arc<Prices>,
    limits: Arc<GateLimits>,
    egress: Arc<Egress>,
    gates: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    open: Vec<Open>,
    closed: VecDeque<(Fence, Usage)>,
}

#[derive(Debug, Clone)]
struct Open {
    gate: Arc<Gate>,
    socket: PathBuf,
}

impl Gateway {
    /// A gateway without gates.
    pub fn new(options: GatewayOptions) -> Self {
        Self {
            models: options.models,
            prices: Arc::new(options.prices),
            limits: Arc::new(options.limits),
            egress: Arc::new(options.egress),
            gates: Mutex::default(),
        }
    }

    fn provider(&self, name: &str) -> PortResult<Arc<dyn Model>> {
        if name.is_empty() {
            return Ok(Arc::new(NoModel));
        }
        self.models.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.models.keys().map(String::as_str).collect();
            PortError::Refused(format!(
                "no model provider `{name}` is configured (there is: {})",
                known.join(", ")
            ))
        })
    }

    fn gates(&self) -> MutexGuard<'_, Registry> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a gate that is not open yet, and answers the one of an earlier epoch that it replaces.
    fn enter(
        &self,
        fence: &Fence,
        agent: &str,
        folder: &Path,
        policy: GatePolicy,
    ) -> PortResult<Option<Open>> {
        let model = self.provider(&policy.provider)?;
        let mut gates = self.gates();
        let before = gates.open.iter().position(|open| open.gate.fence.attempt == fence.attempt);
        if let Some(at) = before {
            let epoch = gates.open[at].gate.fence.epoch;
            if epoch == fence.epoch {
                return Ok(None);
            }
            if epoch > fence.epoch {
                return Err(PortError::Conflict(format!(
                    "epoch {} is stale: {} has the gate",
                    fence.epoch, epoch
                )));
            }
        }
        let socket = folder.join(GATEWAY_SOCKET);
        let listener = listen::bind(&socket)?;
        let (prices, limits) = (self.prices.clone(), self.limits.clone());
        let gate = Gate::new(fence, agent, model, prices, limits, self.egress.clone(), policy);
        tokio::spawn(listen::accept(gate.clone(), listener));
        let replaced = before.map(|at| gates.open.remove(at));
        gates.open.push(Open { gate, socket });
        Ok(replaced)
    }

    fn of_fence(&self, fence: &Fence) -> Option<Open> {
        self.gates().open.iter().find(|open| open.gate.fence == *fence).cloned()
    }

    /// The gate that was opened last for `agent`.
    fn of_agent(&self, agent: &str) -> Option<Arc<Gate>> {
        self.gates().open.iter().rev().find(|open| open.gate.agent == agent).map(|open| open.gate.clone())
    }

    fn remember(&self, fence: &Fence, total: Usage) {
        let mut gates = self.gates();
        if let Some(at) = gates.open.iter().position(|open| open.gate.fence == *fence) {
            // Still the newest of its attempt, so the socket at its path is its own.
            std::fs::remove_file(gates.open.remove(at).socket).ok();
        }
        if gates.closed.iter().all(|(known, _)| known != fence) {
            gates.closed.truncate(CLOSED_MAX - 1);
            gates.closed.push_front((fence.clone(), total));
        }
    }
}

// === impl Gates ===

#[async_trait]
impl Gates for Gateway {
    async fn open(&self, fence: &Fence, agent: &str, folder: &Path, policy: GatePolicy) -> PortResult<()> {
        if let Some(replaced) = self.enter(fence, agent, folder, policy)? {
            let total = replaced.gate.close().await;
            self.remember(&replaced.gate.fence, total);
        }
        Ok(())
    }

    async fn close(&self, fence: &Fence) -> PortResult<Usage> {
        let Some(open) = self.of_fence(fence) else {
            let gates = self.gates();
            let known = gates.closed.iter().find(|(known, _)| known == fence);
            return known
                .map(|(_, total)| *total)
                .ok_or_else(|| PortError::NotFound(format!("the gate of {fence}")));
        };
        let total = open.gate.close().await;
        self.remember(fence, total);
        Ok(total)
    }

    async fn dial_editor(&self, agent: &str) -> PortResult<Box<dyn Duplex>> {
        let gate =
            self.of_agent(agent).ok_or_else(|| PortError::NotFound(format!("an open gate of {agent}")))?;
        let open = gate.editors.clone();
        let stream = gate.agentd.dial(Door::Editor, &gate.agent, &gate.limits).await?;
        Ok(Box::new(Tied::new(stream, gate.closed.clone()).counted(open)))
    }

    async fn dial_terminal(&self, fence: &Fence) -> PortResult<Box<dyn Duplex>> {
        let open = self.of_fence(fence).ok_or_else(|| PortError::NotFound(format!("the gate of {fence}")))?;
        let gate = open.gate;
        let stream = gate.agentd.dial(Door::Terminal, &gate.agent, &gate.limits).await?;
        Ok(Box::new(Tied::new(stream, gate.closed.clone())))
    }

    fn has_editor_open(&self, fence: &Fence) -> bool {
        self.of_fence(fence).is_some_and(|open| Arc::strong_count(&open.gate.editors) > 1)
    }

    async fn tell(&self, fence: &Fence, order: GateOrder) -> PortResult<()> {
        let open = self.of_fence(fence).ok_or_else(|| PortError::NotFound(format!("the gate of {fence}")))?;
        match order {
            GateOrder::Finish => open.gate.agentd.finish(&open.gate.agent, &open.gate.limits).await,
            GateOrder::Hold | GateOrder::Release => {
                open.gate.agentd.hold(order == GateOrder::Hold);
                Ok(())
            }
        }
    }
}
