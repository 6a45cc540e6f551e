//! One attempt's gate: what its connections share.

use crate::agentd::Agentd;
use crate::egress::Outside;
use crate::limits::GateLimits;
use crate::meter::Reading;
use crate::notices::Notices;
use ikigai_ports::Model;
use ikigai_ports::gate::GatePolicy;
use ikigai_types::{Egress, Fence, MicroUsd, Prices, Usage};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bytes that one permit of [`Gate::room`] stands for.
pub(crate) const ROOM_UNIT: usize = 1024;

/// The state of an open gate.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) fence: Fence,
    pub(crate) agent: String,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) limits: Arc<GateLimits>,
    pub(crate) notices: Notices,
    pub(crate) agentd: Agentd,
    pub(crate) outside: Outside,
    /// Held by each stream to its editor, so that they can be counted.
    pub(crate) editors: Arc<()>,
    /// Room for request bodies, in kibibytes.
    pub(crate) room: Arc<Semaphore>,
    /// Ends its connections.
    pub(crate) closed: CancellationToken,
    /// Ends calls that are still under way some time later.
    settled: CancellationToken,
    /// Its calls and its teller.
    pub(crate) tasks: TaskTracker,
    prices: Arc<Prices>,
    total: Mutex<Usage>,
}

impl Gate {
    /// A gate that counts on from what the attempt had used, and tells what happens.
    pub(crate) fn new(
        fence: &Fence,
        agent: &str,
        model: Arc<dyn Model>,
        prices: Arc<Prices>,
        limits: Arc<GateLimits>,
        egress: Arc<Egress>,
        policy: GatePolicy,
    ) -> Arc<Self> {
        let gate = Arc::new(Self {
            fence: fence.clone(),
            agent: agent.to_owned(),
            model,
            notices: Notices::default(),
            agentd: Agentd::default(),
            editors: Arc::default(),
            outside: Outside::new(policy.egress, egress, limits.outside),
            room: Arc::new(Semaphore::new(limits.body.div_ceil(ROOM_UNIT))),
            closed: CancellationToken::new(),
            settled: CancellationToken::new(),
            tasks: TaskTracker::new(),
            prices,
            total: Mutex::new(policy.spent),
            limits,
        });
        let teller = gate.clone();
        gate.tasks.spawn(async move {
            teller.notices.tell(&teller.fence, policy.events, teller.closed.clone()).await;
        });
        gate
    }

    /// What the attempt used so far.
    pub(crate) fn total(&self) -> Usage {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call that the provider answered. Without the provider's own count of a call that went well,
    /// what the attempt costs is unknown from then on.
    pub(crate) fn count(&self, asked: &str, went_well: bool, reading: &Reading) {
        let mut used = Usage { calls: 1, ..Usage::default() };
        if let Some(tokens) = reading.tokens {
            let price = |model: &str| self.prices.cost(self.model.name(), model, tokens);
            used.input_tokens = tokens.input;
            used.output_tokens = tokens.output;
            used.cost = reading.model.as_deref().and_then(price).or_else(|| price(asked));
        } else if !went_well {
            used.cost = Some(MicroUsd(0));
        }
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        *total = total.plus(used);
        self.notices.used(*total);
    }

    /// What `work` gives, unless the gate is closed and the time to settle is over.
    pub(crate) async fn until_settled<F: Future>(&self, work: F) -> Option<F::Output> {
        tokio::select! {
            done = work => Some(done),
            () = self.settled.cancelled() => None,
        }
    }

    /// Ends connections, waits for calls to settle, and answers the total.
    pub(crate) async fn close(&self) -> Usage {
        self.closed.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.limits.settle_time, self.tasks.wait()).await.is_err() {
            self.settled.cancel();
            self.tasks.wait().await;
        }
        self.total()
    }
}
