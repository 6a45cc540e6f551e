//! What this node knows of the others: hints, each with its age. Nothing here grants anything.

use ikigai_placement::{Candidate, Request, refuses};
use ikigai_types::{Liveness, NodeId, Timestamp};
use ikigai_wire::peer::Advertisement;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// How long a node that did not answer an offer is passed over.
const SHUNNED: Duration = Duration::from_secs(10);
/// So many refusals in a row, and the node is passed over too: its word is not worth an offer. Each further one
/// doubles the time, up to [`SHUNNED_MOST`].
const REFUSALS: u32 = 3;
/// The longest time.
const SHUNNED_MOST: Duration = Duration::from_secs(600);

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
    /// Offers it refused since it last took one. One that it refused although it says to have room counts for
    /// [`REFUSALS`].
    refusals: u32,
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
        // What it did weighs on, whatever it says now.
        let (shunned_until, refusals) =
            known.get(&node).map_or((Timestamp(0), 0), |n| (n.shunned_until, n.refusals));
        known.insert(node, Neighbour { ad, liveness, heard_at, shunned_until, refusals });
        drop(known);
        self.changed.send_modify(|n| *n += 1);
    }

    /// `node` is not of this mesh any more.
    pub(crate) fn remove(&self, node: NodeId) {
        self.known().remove(&node);
        self.changed.send_modify(|n| *n += 1);
    }

    /// `node` refused an offer of `asked` and said what it has.
    pub(crate) fn refused(&self, node: NodeId, ad: Advertisement, asked: &Request, now: Timestamp) {
        if let Some(n) = self.known().get_mut(&node) {
            n.ad = ad;
            n.heard_at = now;
            let image = Some(asked.image.as_str()).filter(|i| !i.is_empty());
            let contradicts = refuses(asked, &n.described(node, image)).is_none();
            n.refusals = n.refusals.saturating_add(if contradicts { REFUSALS } else { 1 });
            if let Some(more) = n.refusals.checked_sub(REFUSALS) {
                let longer = SHUNNED.saturating_mul(1 << more.min(16));
                n.shunned_until = now.after(longer.min(SHUNNED_MOST));
            }
        }
    }

    /// `node` took an offer.
    pub(crate) fn accepted(&self, node: NodeId) {
        if let Some(n) = self.known().get_mut(&node) {
            n.refusals = 0;
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

    /// All of them as placement sees them, and when each last described itself.
    pub(crate) fn candidates(&self, image: Option<&str>, now: Timestamp) -> Vec<(Candidate, Timestamp)> {
        let known = self.known();
        known.iter().map(|(id, n)| (n.candidate(*id, image, now), n.heard_at)).collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<NodeId, Neighbour>> {
        self.known.lock().expect("invariant: no panic while neighbours are held")
    }
}

impl Neighbour {
    fn candidate(&self, id: NodeId, image: Option<&str>, now: Timestamp) -> Candidate {
        let shunned = now < self.shunned_until;
        Candidate {
            liveness: if shunned { Liveness::Suspect } else { self.liveness },
            age: now.since(self.heard_at),
            ..self.described(id, image)
        }
    }

    /// What it says of itself.
    fn described(&self, id: NodeId, image: Option<&str>) -> Candidate {
        let ad = &self.ad;
        Candidate {
            cordoned: ad.cordoned,
            draining: ad.draining,
            taints: ad.taints.clone(),
            classes: ad.classes.clone(),
            repositories: ad.repositories.clone(),
            allocatable: ad.allocatable,
            free: ad.free,
            tags: ad.tags.clone(),
            adapters: ad.adapters.clone(),
            providers: ad.providers.clone(),
            image: ad.executor != "docker" || image.is_some_and(|i| ad.images.iter().any(|have| have == i)),
            images: ad.images.clone(),
            ..Candidate::new(id, ad.name.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_placement::place;
    use ikigai_types::{ClassSlots, Resources, WorkloadClass};

    fn cores(n: u64) -> Resources {
        Resources { cpu_millis: n * 1_000, memory_bytes: n << 30, slots: n, ..Resources::default() }
    }

    fn says(name: &str, all: u64, free: u64) -> Advertisement {
        let document = serde_json::json!({
            "name": name, "version": "0", "capacity": cores(all), "allocatable": cores(all), "free": cores(free),
            "adapters": ["codex"],
        });
        serde_json::from_value(document).unwrap()
    }

    fn one_core() -> Request {
        Request { resources: cores(1), adapter: "codex".into(), ..Request::default() }
    }

    fn candidates(neighbours: &Neighbours, now: Timestamp) -> Vec<Candidate> {
        neighbours.candidates(None, now).into_iter().map(|(c, _)| c).collect()
    }

    fn id(i: u8) -> NodeId {
        NodeId::from_bytes([i; 32])
    }

    /// Offers one small task after the other, each until it is taken; node 1 refuses all and says `answer`, then
    /// gossips again that it is huge and empty. Answers how many offers node 1 had.
    fn offers_to_a_liar(answer: &Advertisement, tasks: u64) -> u64 {
        let neighbours = Neighbours::default();
        let mut now = Timestamp(1_000_000);
        neighbours.set(id(2), says("honest", 64, 64), Liveness::Alive, now);
        let mut offers = 0;
        for task in 0..tasks {
            for number in 0.. {
                assert!(number < 20, "task {task} is offered for ever");
                neighbours.set(id(1), says("liar", 10_000, 10_000), Liveness::Alive, now);
                now.0 += 100;
                let candidates = candidates(&neighbours, now);
                let request = Request { seed: task << 8 | number, ..one_core() };
                match place(&request, &candidates).chosen {
                    Some(node) if node == id(1) => {
                        offers += 1;
                        neighbours.refused(node, answer.clone(), &request, now);
                    }
                    chosen => {
                        assert_eq!(chosen, Some(id(2)));
                        neighbours.accepted(id(2));
                        break;
                    }
                }
            }
            now.0 += 1_000;
        }
        offers
    }

    #[test]
    fn one_that_refuses_what_it_says_it_has_room_for_is_passed_over() {
        // An hour of tasks, more than one a second: an offer each time its time is over, which doubles.
        let offers = offers_to_a_liar(&says("liar", 10_000, 10_000), 3_000);
        assert!((1..=20).contains(&offers), "{offers}");
    }

    #[test]
    fn one_that_is_full_only_when_asked_is_passed_over() {
        let offers = offers_to_a_liar(&says("liar", 10_000, 0), 3_000);
        assert!((3..=20).contains(&offers), "{offers}");
    }

    #[test]
    fn one_that_is_full_now_and_then_is_not() {
        let (neighbours, now) = (Neighbours::default(), Timestamp(1_000));
        neighbours.set(id(1), says("busy", 8, 8), Liveness::Alive, now);
        for _ in 0..10 {
            neighbours.refused(id(1), says("busy", 8, 0), &one_core(), now);
            neighbours.refused(id(1), says("busy", 8, 0), &one_core(), now);
            neighbours.accepted(id(1));
        }
        let candidates = candidates(&neighbours, now);
        assert_eq!(candidates[0].liveness, Liveness::Alive);
    }

    #[test]
    fn one_that_keeps_its_last_slot_for_agents_says_nothing_untrue() {
        let (neighbours, now) = (Neighbours::default(), Timestamp(1_000));
        let ad = Advertisement { classes: ClassSlots::standard(8), ..says("kept", 8, 1) };
        neighbours.set(id(1), ad.clone(), Liveness::Alive, now);
        let ci = Request { class: WorkloadClass::Ci, ..one_core() };
        neighbours.refused(id(1), ad.clone(), &ci, now);
        assert_eq!(candidates(&neighbours, now)[0].liveness, Liveness::Alive);
        neighbours.refused(id(1), ad, &one_core(), now);
        assert_eq!(candidates(&neighbours, now)[0].liveness, Liveness::Suspect, "it has room for an agent");
    }
}
