//! The driver: statements go to whoever is linked, by signal and by timer; guests are served; what this node's
//! address is, and where others were reached, is kept up to date.

use super::{Enrolment, kept, sign};
use crate::Reach;
use futures::stream::{self, StreamExt as _};
use ikigai_enrolment::Said;
use ikigai_ports::mesh::{Lane, Links};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::NodeId;
use ikigai_wire::peer::{Envelope, Roster};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a node compares with those it is linked to, whatever happens.
const COMPARE: Duration = Duration::from_secs(60);
/// How long a peer has for one call.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long whoever was removed has to take that in, before its link is closed.
const FAREWELL: Duration = Duration::from_secs(1);
/// Peers that are told at a time.
const AT_ONCE: usize = 16;
/// Guests that are served at a time; the next ones wait.
const GUESTS: usize = 8;
/// Most bytes of statements in one call.
const PIECE: usize = 1 << 20;
/// Most bytes of statements in an answer. What is beyond them, the caller is sent by the next comparison that
/// this side begins.
const ANSWER: usize = 8 << 20;

impl Enrolment {
    /// Answers a peer that says what it knows: takes that in, and tells what it lacks.
    ///
    /// # Errors
    /// When what it said cannot be written.
    pub async fn compare(&self, caller: NodeId, theirs: Roster) -> PortResult<Roster> {
        if !self.is_enrolled(caller) && !self.state().leaving.contains(&caller) {
            return Err(PortError::Refused(format!("node {} is not in this mesh", caller.short())));
        }
        self.merge(theirs.statements).await?;
        let state = self.state();
        let same = theirs.digest == Some(state.roster.digest());
        let lacks = if same { Vec::new() } else { pieces(state.all(), ANSWER).swap_remove(0) };
        Ok(state.sent(lacks))
    }

    /// Serves guests and keeps up with the others, until `stop`. A node without links only waits.
    pub async fn run(self, stop: CancellationToken) {
        let Some(reach) = self.shared.parts.reach.clone() else { return stop.cancelled().await };
        let tasks = TaskTracker::new();
        tasks.spawn(self.clone().serve_guests(reach.clone(), stop.clone()));
        tasks.close();
        self.keep_up(&reach, &stop).await;
        tasks.wait().await;
    }

    async fn serve_guests(self, reach: Reach, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(GUESTS));
        let served = TaskTracker::new();
        loop {
            let place = places.clone().acquire_owned().await.expect("invariant: never closed");
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = reach.mesh.accept(Lane::Join) => accepted,
            };
            let Ok((guest, stream)) = accepted else { break };
            let (this, stop) = (self.clone(), stop.clone());
            served.spawn(async move {
                let _place = place;
                let welcomed = tokio::select! {
                    () = stop.cancelled() => return,
                    welcomed = this.welcome(guest, stream) => welcomed,
                };
                if let Err(error) = welcomed {
                    tracing::info!(invitation = %guest.short(), error = error.chain(), "a guest went away");
                }
            });
        }
        served.close();
        served.wait().await;
    }

    async fn keep_up(&self, reach: &Reach, stop: &CancellationToken) {
        let clock = self.shared.parts.clock.clone();
        let (mut links, mut state) = (reach.mesh.links(), self.shared.state.subscribe());
        let mut linked = BTreeSet::new();
        let mut told = self.state().roster.digest();
        links.mark_changed();
        state.mark_changed();
        loop {
            let wake = self.state().invitations.next_wake(self.now());
            let wake = wake.map_or(COMPARE, |t| t.since(self.now()).clamp(Duration::from_millis(1), COMPARE));
            let whom: Vec<NodeId> = tokio::select! {
                () = stop.cancelled() => return,
                changed = links.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = links.borrow_and_update().clone();
                    let fresh = now.keys().filter(|n| !linked.contains(*n)).copied().collect();
                    self.note(&now).await;
                    linked = now.keys().copied().collect();
                    fresh
                }
                _ = state.changed() => {
                    let digest = state.borrow_and_update().roster.digest();
                    let news = std::mem::replace(&mut told, digest) != digest;
                    linked.iter().filter(|_| news).copied().collect()
                }
                () = clock.sleep(wake) => linked.iter().copied().collect(),
            };
            // An invitation that is over does not knock for ever.
            self.publish();
            self.announce().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.tell(reach, whom) => {}
            }
        }
    }

    /// Tells those of `whom` that are in, and for the last time those that are out.
    async fn tell(&self, reach: &Reach, whom: Vec<NodeId>) {
        let (state, clock) = (self.state(), self.shared.parts.clock.clone());
        if !state.leaving.is_empty() {
            let leaving = state.leaving.clone();
            tokio::select! {
                () = self.share_all(reach, leaving.iter().copied().collect()) => {}
                () = clock.sleep(FAREWELL) => {}
            }
            let gone = self.change(move |state, _| {
                state.leaving.retain(|n| !leaving.contains(n));
                Ok::<_, PortError>((Default::default(), ()))
            });
            // Nothing is written.
            let _ = gone.await;
        }
        self.share_all(reach, whom.into_iter().filter(|n| state.roster.is_enrolled(*n)).collect()).await;
    }

    async fn share_all(&self, reach: &Reach, whom: Vec<NodeId>) {
        let told: Vec<_> = whom.into_iter().map(|n| self.clone().share(reach.clone(), n)).collect();
        stream::iter(told).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
    }

    /// Compares with `node`.
    async fn share(self, reach: Reach, node: NodeId) {
        let clock = self.shared.parts.clock.clone();
        let shared = tokio::select! {
            shared = self.share_with(&reach, node) => shared,
            () = clock.sleep(PATIENCE) => return,
        };
        if let Err(error) = shared {
            tracing::debug!(%node, error = error.chain(), "who is in the mesh was not compared");
        }
    }

    async fn share_with(&self, reach: &Reach, node: NodeId) -> PortResult<()> {
        let (own, peer) = (self.shared.node, reach.peers.peer(node));
        let state = self.state();
        let theirs = peer.roster(own, state.sent(state.pick(&state.fresh))).await?;
        let lacks = theirs.digest != Some(state.roster.digest());
        self.merge(theirs.statements).await?;
        let state = self.state();
        if lacks && theirs.digest != Some(state.roster.digest()) {
            for piece in pieces(state.all(), PIECE) {
                self.merge(peer.roster(own, state.sent(piece)).await?.statements).await?;
            }
        }
        Ok(())
    }

    /// States where this node is, when that is not what it stated last.
    async fn announce(&self) {
        let addresses = self.own_addresses();
        let state = self.state();
        let stated = state.roster.member(self.shared.node).map(|m| m.addresses);
        if addresses.is_empty() || stated.is_none_or(|s| same(&s, &addresses)) {
            return;
        }
        let now = self.now();
        let stated = self.change(move |state, shared| {
            let said = Said::Address(state.roster.address(addresses, now));
            let (batch, changes) = state.take(vec![sign(&*shared.parts.signer, said)?]);
            Ok::<_, PortError>((batch, changes))
        });
        if let Err(error) = stated.await {
            tracing::warn!(error = error.chain(), "this node's address was not stated");
        }
    }

    /// Notes where nodes were reached.
    async fn note(&self, links: &Arc<Links>) {
        let links = links.clone();
        let noted = self.change(move |state, _| {
            let (mut batch, mesh) = (Default::default(), state.roster.mesh());
            for (node, link) in links.iter().filter(|(n, _)| state.roster.is_enrolled(**n)) {
                if state.book.note(*node, link) {
                    batch = kept::reached(batch, mesh, *node, &link.address);
                }
            }
            Ok::<_, PortError>((batch, ()))
        });
        if let Err(error) = noted.await {
            tracing::warn!(error = error.chain(), "where nodes were reached was not noted");
        }
    }
}

/// Whether both name the same addresses, in whatever order.
fn same(a: &[String], b: &[String]) -> bool {
    a.iter().collect::<BTreeSet<_>>() == b.iter().collect::<BTreeSet<_>>()
}

/// Statements in pieces of about `weight` bytes, at least one.
fn pieces(all: Vec<Envelope>, weight: usize) -> Vec<Vec<Envelope>> {
    let (mut pieces, mut held) = (vec![Vec::new()], 0);
    for envelope in all {
        let weighs = envelope.payload.len() + 512;
        if held > 0 && held + weighs > weight {
            pieces.push(Vec::new());
            held = 0;
        }
        held += weighs;
        pieces.last_mut().expect("invariant: there is a piece").push(envelope);
    }
    pieces
}
