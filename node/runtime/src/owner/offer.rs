//! Offering a lease to its node: what it works from is fixed and signed here, the node alone admits.

use crate::desk::lease_ms;
use crate::mesh::Neighbours;
use crate::owner::OwnerHandle;
use crate::owner::sight::request;
use crate::peer::{LocalPeer, NETWORK, WORKLOAD};
use ikigai_ports::{Peer as _, PortError, PortResult};
use ikigai_task::{Continues, Follow, Observation, Reason, TaskSpec};
use ikigai_types::{Commit, Fence, Lease, NodeId, Usage};
use ikigai_wire::peer::{Admission, Envelope, Offer, Order, Workload};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often an offer that gets no answer is repeated: the node may have it already.
const TRIES: u32 = 3;
/// How long between those.
const PAUSE: Duration = Duration::from_millis(500);

/// Carries leases and orders to the nodes that hold them. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Offers {
    peer: LocalPeer,
    neighbours: Arc<Neighbours>,
    owner: OwnerHandle,
}

/// Everything an offer says.
pub(super) struct Proposed {
    pub(super) lease: Lease,
    pub(super) spec: TaskSpec,
    pub(super) prompt: String,
    /// What the attempt works from, when it is offered again.
    pub(super) base: Option<Commit>,
    /// What an earlier attempt left that it goes on from.
    pub(super) continues: Option<Continues>,
    /// What its agent is told of the attempt it follows.
    pub(super) follow: Option<Follow>,
}

impl Offers {
    pub(super) fn new(peer: LocalPeer, neighbours: Arc<Neighbours>, owner: OwnerHandle) -> Self {
        Self { peer, neighbours, owner }
    }

    /// Offers, and tells the owner when it was not taken.
    pub(super) async fn make(&self, proposed: Proposed) {
        let fence = proposed.lease.fence.clone();
        let (node, number) = (proposed.lease.node, fence.attempt.number);
        let asked = request(&self.peer.options, &proposed.spec, number);
        let observation = match self.offer(proposed).await {
            Ok(offer) => match self.until_answered(node, offer).await {
                Ok(Admission::Accepted) => return self.neighbours.accepted(node),
                Ok(Admission::Refused { text, advertisement }) => {
                    self.neighbours.refused(node, *advertisement, &asked, self.peer.parts.clock.now());
                    Observation::Declined { fence, text }
                }
                Err(error) => {
                    self.neighbours.shun(node, self.peer.parts.clock.now());
                    Observation::Declined { fence, text: error.chain() }
                }
            },
            Err(error) => not_offered(fence, error.chain()),
        };
        let _ = self.owner.observe(observation).await;
    }

    async fn offer(&self, proposed: Proposed) -> PortResult<Offer> {
        let Proposed { lease, spec, prompt, base, continues, follow } = proposed;
        let parts = &self.peer.parts;
        let from = continues.as_ref().map(|c| c.commit.clone());
        let base = match base.or(continues.map(|c| c.base)) {
            Some(base) => base,
            None => parts.workspaces.import(&spec.project, Path::new(&spec.checkout), None).await?,
        };
        let (fence, node) = (lease.fence.clone(), lease.node);
        let (image, network) = (self.peer.options.image.clone(), NETWORK.to_owned());
        let image = image.filter(|_| self.peer.options.needs_image);
        let workload = Workload { fence, node, spec, prompt, base, from, follow, image, network };
        let signer = parts.signer.clone();
        let workload = Envelope::seal(WORKLOAD, &workload, self.peer.node, |bytes| signer.sign(bytes))?;
        Ok(Offer { lease, lease_ms: lease_ms(self.peer.options.policy.lease), workload })
    }

    async fn until_answered(&self, node: NodeId, offer: Offer) -> PortResult<Admission> {
        let me = self.peer.node;
        if node == me {
            return self.peer.offer(me, offer).await;
        }
        let policy = self.peer.options.policy.lease;
        let margin = policy.saturating_sub(Duration::from_millis(lease_ms(policy)));
        let (mut offer, mut tries) = (offer, 1);
        loop {
            // The lease runs since it was granted, whatever it took until here.
            let left = offer.lease.expires.since(self.peer.parts.clock.now()).saturating_sub(margin);
            offer.lease_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            if left.is_zero() {
                return Err(PortError::unavailable(
                    format!("node {}", node.short()),
                    "no answer while the lease was good",
                ));
            }
            match self.peer.parts.peer(node)?.offer(me, offer.clone()).await {
                Err(PortError::Unavailable { .. }) if tries < TRIES => {
                    tries += 1;
                    self.peer.parts.clock.sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    /// Tells the holder. One that is away learns it from the answer to its next heartbeat.
    pub(super) async fn order(&self, node: NodeId, fence: Fence, order: Order) {
        let me = self.peer.node;
        let told = if node == me {
            self.peer.order(me, fence.clone(), order).await
        } else {
            match self.peer.parts.peer(node) {
                Ok(peer) => peer.order(me, fence.clone(), order).await,
                Err(error) => Err(error),
            }
        };
        if let Err(error) = told {
            tracing::info!(%fence, node = %node.short(), error = error.chain(), "an order did not arrive");
        }
    }
}

/// The attempt could not even be offered: this machine is to blame, and tries again later.
fn not_offered(fence: Fence, detail: String) -> Observation {
    Observation::Ended {
        fence,
        exit_code: None,
        reason: Some(Reason::Host),
        detail,
        usage: Usage::default(),
        change: None,
        salvage: None,
        saved: None,
    }
}
