//! The driver of membership: frames and links in, what is known of the others out.

use super::advertise::{KeySeal, decode, encode, is_news};
use super::neighbours::Neighbours;
use crate::host::Host;
use crate::owner::OwnerHandle;
use crate::{Parts, Reach};
use ikigai_membership::{Book, Config, Effect, Input, Me, Membership};
use ikigai_ports::PortResult;
use ikigai_ports::mesh::{Allowed, Links};
use ikigai_ports::store::Batch;
use ikigai_task::Observation;
use ikigai_types::{Liveness, NodeId};
use ikigai_wire::peer::Advertisement;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where the number of the last life is kept.
const INCARNATION: &[u8] = b"mesh/incarnation";
/// How long changes of what others have are gathered before tasks that wait look again.
const SETTLE: Duration = Duration::from_millis(200);

/// Everything the driver is made of.
pub(crate) struct Setup {
    pub(crate) parts: Parts,
    pub(crate) reach: Reach,
    pub(crate) host: Host,
    pub(crate) neighbours: Arc<Neighbours>,
    /// Who is enrolled, as it changes; the transport was told before.
    pub(crate) allowed: watch::Receiver<Arc<Allowed>>,
}

struct Driver {
    setup: Setup,
    machine: Membership,
    told: Advertisement,
    linked: BTreeSet<NodeId>,
    enrolled: BTreeSet<NodeId>,
}

/// Runs until `stop`, then tells the others that this node goes.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn drive(setup: Setup, stop: CancellationToken) -> PortResult<()> {
    let parts = &setup.parts;
    let node = setup.reach.mesh.id();
    let kept = parts.store.get(INCARNATION).await?.map(|e| e.value);
    let incarnation = kept.and_then(|v| Some(u64::from_be_bytes(v.try_into().ok()?))).unwrap_or(0);
    let told = setup.host.advertisement();
    let seal = Arc::new(KeySeal(parts.signer.clone()));
    let me = Me { node, incarnation, advertisement: encode(&told), book: Book::default(), seal };
    let mut seed = [0; 8];
    parts.rng.fill(&mut seed);
    let machine = Membership::new(Config::default(), me, u64::from_be_bytes(seed));
    let (linked, enrolled) = (BTreeSet::new(), BTreeSet::new());
    let mut driver = Driver { setup, machine, told, linked, enrolled };
    driver.run(&stop).await;
    driver.input(Input::Leave).await;
    Ok(())
}

impl Driver {
    async fn run(&mut self, stop: &CancellationToken) {
        let (mesh, clock) = (self.setup.reach.mesh.clone(), self.setup.parts.clock.clone());
        let (mut links, mut allowed) = (mesh.links(), self.setup.allowed.clone());
        let mut own = self.setup.host.changes();
        links.mark_changed();
        allowed.mark_changed();
        loop {
            // Not behind frames that never end.
            if self.until_wake().is_zero() {
                self.input(Input::Wake).await;
            }
            let wake = self.until_wake().max(Duration::from_millis(1));
            tokio::select! {
                () = stop.cancelled() => return,
                frame = mesh.receive() => match frame {
                    Ok((from, frame)) => self.input(Input::Frame { from, frame }).await,
                    Err(_) => return,
                },
                Ok(()) = links.changed() => {
                    let now = links.borrow_and_update().clone();
                    self.relink(&now).await;
                }
                Ok(()) = allowed.changed() => {
                    let now = allowed.borrow_and_update().clone();
                    self.enrol(&now).await;
                }
                Ok(()) = own.changed() => self.advertise().await,
                () = clock.sleep(wake) => self.input(Input::Wake).await,
            }
        }
    }

    fn until_wake(&self) -> Duration {
        let now = self.setup.parts.clock.now();
        let wake = self.machine.next_wake();
        wake.map_or(Duration::from_secs(3600), |t| t.since(now))
    }

    async fn input(&mut self, input: Input) {
        for effect in self.machine.handle(input, self.setup.parts.clock.now()) {
            match effect {
                Effect::Send { to, frame } => self.setup.reach.mesh.send(to, frame),
                Effect::Changed(node) => self.changed(node),
                Effect::PersistIncarnation(n) => {
                    let batch = Batch::default().put(INCARNATION, n.to_be_bytes());
                    if let Err(error) = self.setup.parts.store.commit(batch).await {
                        tracing::error!(error = error.chain(), "the number of this life was not kept");
                    }
                }
            }
        }
    }

    async fn relink(&mut self, links: &Links) {
        let now: BTreeSet<_> = links.keys().copied().collect();
        let (up, down): (Vec<_>, Vec<_>) = (
            now.difference(&self.linked).copied().collect(),
            self.linked.difference(&now).copied().collect(),
        );
        self.linked = now;
        for node in up {
            self.input(Input::LinkUp(node)).await;
        }
        for node in down {
            self.input(Input::LinkDown(node)).await;
        }
    }

    async fn enrol(&mut self, allowed: &Allowed) {
        let now: BTreeSet<_> = allowed.peers.keys().copied().collect();
        let fresh: Vec<_> = now.difference(&self.enrolled).copied().collect();
        let gone: Vec<_> = self.enrolled.difference(&now).copied().collect();
        self.enrolled = now;
        for node in fresh {
            self.input(Input::PeerAllowed(node)).await;
            // Its link may have been seen before it was known to be allowed.
            if self.linked.contains(&node) {
                self.input(Input::LinkUp(node)).await;
            }
        }
        for node in gone {
            self.input(Input::PeerRevoked(node)).await;
            self.setup.neighbours.remove(node);
        }
    }

    async fn advertise(&mut self) {
        let now = self.setup.host.advertisement();
        if is_news(&self.told, &now) {
            self.told = now;
            self.input(Input::Advertise(encode(&self.told))).await;
        }
    }

    /// Takes over what the machine knows of `node`.
    fn changed(&self, node: NodeId) {
        let Some(member) = self.machine.member(&node) else { return self.setup.neighbours.remove(node) };
        let liveness = match member.liveness {
            ikigai_membership::Liveness::Alive => Liveness::Alive,
            ikigai_membership::Liveness::Suspect => Liveness::Suspect,
            ikigai_membership::Liveness::Dead => Liveness::Dead,
        };
        // One that was never heard of is nothing to show.
        if let (Some(ad), Some(at)) = (decode(member.advertisement), member.heard_at) {
            self.setup.neighbours.set(node, ad, liveness, at);
        }
    }
}

/// Lets tasks that wait look again when other nodes changed, not for every change alone.
pub(crate) async fn look_again(
    neighbours: Arc<Neighbours>,
    owner: OwnerHandle,
    parts: Parts,
    stop: CancellationToken,
) {
    let mut changes = neighbours.changes();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        parts.clock.sleep(SETTLE).await;
        changes.borrow_and_update();
        if owner.observe(Observation::CapacityChanged).await.is_err() {
            return;
        }
    }
}
