//! What this node knows of the others: hints, each with its age. Nothing here grants anything.

use ikigai_placement::Candidate;
use ikigai_types::{Liveness, NodeId, Resources, Timestamp};
use ikigai_wire::peer::Advertisement;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// How long a node that did not answer an offer is passed over.
const SHUNNED: Duration = Duration::from_secs(10);

/// Every other node this one has heard of.
#[derive(Debug)]
pub(crate) struct Neighbours {
    known: Mutex<BTreeMap<NodeId, Neighbour>>,
    changed: watch::Sender<u64>,
}

/// One other node, as it last described itself.
#[derive(Debug, Clone)]
pub(crate) struct Neighbour {
    pub(crate) ad: Advertisement,
    pub(crate) liveness: Liveness,
    /// When its advertisement came.
    pub(crate) heard_at: Timestamp,
    /// Not offered anything before this time.
    shunned_until: Timestamp,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { known: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Neighbours {
    /// Changes with every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes in what is known of `node` now.
    pub(crate) fn set(&self, node: NodeId, ad: Advertisement, liveness: Liveness, heard_at: Timestamp) {
        let mut known = self.known();
        let shunned_until = known.get(&node).map_or(Timestamp(0), |n| n.shunned_until);
        known.insert(node, Neighbour { ad, liveness, heard_at, shunned_until });
        drop(known);
        self.changed.send_modify(|n| *n += 1);
    }

    /// `node` is not of this mesh any more.
    pub(crate) fn remove(&self, node: NodeId) {
        self.known().remove(&node);
        self.changed.send_modify(|n| *n += 1);
    }

    /// `node` refused an offer and said what it has.
    pub(crate) fn refused(&self, node: NodeId, ad: Advertisement, now: Timestamp) {
        if let Some(n) = self.known().get_mut(&node) {
            n.ad = ad;
            n.heard_at = now;
        }
    }

    /// `node` did not answer an offer.
    pub(crate) fn shun(&self, node: NodeId, now: Timestamp) {
        if let Some(n) = self.known().get_mut(&node) {
            n.shunned_until = now.after(SHUNNED);
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> BTreeMap<NodeId, Neighbour> {
        self.known().clone()
    }

    /// Those that are alive.
    pub(crate) fn alive(&self) -> Vec<NodeId> {
        self.known().iter().filter(|(_, n)| n.liveness == Liveness::Alive).map(|(id, _)| *id).collect()
    }

    /// The name of `node`, if it is known.
    pub(crate) fn name(&self, node: NodeId) -> Option<String> {
        self.known().get(&node).map(|n| n.ad.name.clone())
    }

    /// All of them as placement sees them; `granted(node, since)` is what this node's own leases took there
    /// since it last described itself.
    pub(crate) fn candidates(
        &self,
        image: Option<&str>,
        now: Timestamp,
        granted: impl Fn(NodeId, Timestamp) -> Resources,
    ) -> Vec<Candidate> {
        let known = self.known();
        known.iter().map(|(id, n)| n.candidate(*id, image, now, granted(*id, n.heard_at))).collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<NodeId, Neighbour>> {
        self.known.lock().expect("invariant: no panic while neighbours are held")
    }
}

impl Neighbour {
    fn candidate(&self, id: NodeId, image: Option<&str>, now: Timestamp, granted: Resources) -> Candidate {
        let ad = &self.ad;
        let shunned = now < self.shunned_until;
        Candidate {
            liveness: if shunned { Liveness::Suspect } else { self.liveness },
            age: now.since(self.heard_at),
            cordoned: ad.cordoned,
            draining: ad.draining,
            taints: ad.taints.clone(),
            classes: ad.classes.clone(),
            repositories: ad.repositories.clone(),
            allocatable: ad.allocatable,
            free: ad.free.minus(&granted),
            tags: ad.tags.clone(),
            adapters: ad.adapters.clone(),
            providers: ad.providers.clone(),
            image: ad.executor != "docker" || image.is_some_and(|i| ad.images.iter().any(|have| have == i)),
            images: ad.images.clone(),
            ..Candidate::new(id, ad.name.clone())
        }
    }
}
