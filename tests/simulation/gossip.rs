//! The membership machine of each node, and what its node makes of it: hints for placement, with their age.

use crate::bugs::Bug;
use crate::node::{Then, Write};
use crate::world::{Event, LEASE, Message, World, index, node_id};
use ikigai_membership::{Config, Effect, Input, Me, Membership, Unsealed};
use ikigai_placement::Candidate;
use ikigai_task::{Attempt, Observation, Owner};
use ikigai_types::{AttemptId, Epoch, Fence, Liveness, NodeId, Resources, TaskId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a node that did not answer an offer is passed over.
const SHUNNED: u64 = LEASE / 3;
/// How long changes of what others have are gathered before tasks that wait look again.
const SETTLE: u64 = 200;

pub struct Gossip {
    machine: Membership,
    told: Ad,
    neighbours: BTreeMap<usize, Neighbour>,
    wake: Option<u64>,
    settling: bool,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ad {
    pub total: Resources,
    pub free: Resources,
    /// Attempts whose results are here: said by nodes that are planted to believe such hints, and by no other.
    pub results: Vec<Fence>,
}

/// Another node, as it last described itself.
struct Neighbour {
    ad: Ad,
    liveness: Liveness,
    heard_at: Timestamp,
    shunned_until: Timestamp,
}

impl Ad {
    fn encode(&self) -> Vec<u8> {
        let numbers = |r: &Resources| format!("{} {} {}", r.cpu_millis, r.memory_bytes, r.slots);
        let results = self.results.iter().map(|f| format!(" {f}"));
        format!("{} {}{}", numbers(&self.total), numbers(&self.free), results.collect::<String>())
            .into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(bytes).ok()?.split(' ');
        let mut number = || words.next()?.parse().ok();
        let mut resources = || {
            let (cpu_millis, memory_bytes, slots) = (number()?, number()?, number()?);
            Some(Resources { cpu_millis, memory_bytes, slots, ..Resources::default() })
        };
        let (total, free) = (resources()?, resources()?);
        Some(Self { total, free, results: words.filter_map(fence).collect() })
    }
}

fn fence(text: &str) -> Option<Fence> {
    let (attempt, epoch) = text.split_once('@')?;
    Some(Fence { attempt: attempt.parse::<AttemptId>().ok()?, epoch: Epoch(epoch.parse().ok()?) })
}

/// The rhythm of membership at a third of its usual pace: what it finds out is tried elsewhere; here it is
/// enough that its hints are true at times, and old or wrong at others.
fn config() -> Config {
    let usual = Config::default();
    Config {
        probe_every: 3 * usual.probe_every,
        retry_every: 3 * usual.retry_every,
        heartbeat: Duration::from_secs(30),
        ..usual
    }
}

impl World {
    pub fn fresh_gossip(&mut self, node: usize) -> Gossip {
        let told = self.ad_of(node);
        let me = Me {
            node: node_id(node),
            incarnation: self.nodes[node].disk.kept.incarnation,
            advertisement: told.encode(),
            book: (0..self.nodes.len()).map(node_id).collect(),
            seal: Arc::new(Unsealed),
        };
        let machine = Membership::new(config(), me, self.dice.bits());
        Gossip { machine, told, neighbours: BTreeMap::new(), wake: None, settling: false }
    }

    pub fn begin_gossip(&mut self, node: usize) {
        self.gossip(node, Input::Wake);
        for other in (0..self.nodes.len()).filter(|o| *o != node) {
            if self.nodes[other].live.is_some() {
                let (wait, back) = (self.between(1, 500), self.between(1, 500));
                self.at(wait, Event::Link { node, other, up: true });
                self.at(back, Event::Link { node: other, other: node, up: true });
            }
        }
    }

    /// Those who were linked to a node that crashed see its links break, sooner or later.
    pub fn break_links(&mut self, node: usize) {
        for other in (0..self.nodes.len()).filter(|o| *o != node) {
            if self.one_in(2) {
                let wait = self.between(1, 2_000);
                self.at(wait, Event::Link { node: other, other: node, up: false });
            }
        }
    }

    pub fn link(&mut self, node: usize, other: usize, up: bool) {
        let id = node_id(other);
        let open = !self.net.is_cut(node, other, self.now) && self.nodes[other].live.is_some();
        match up {
            true if open => self.gossip(node, Input::LinkUp(id)),
            false => self.gossip(node, Input::LinkDown(id)),
            true => {}
        }
    }

    pub fn hear(&mut self, node: usize, from: usize, frame: Vec<u8>) {
        self.gossip(node, Input::Frame { from: node_id(from), frame });
    }

    pub fn gossip_wake(&mut self, node: usize, at: u64) {
        if self.live(node).is_some_and(|live| live.gossip.wake == Some(at)) {
            self.live(node).expect("it lives").gossip.wake = None;
            self.gossip(node, Input::Wake);
        }
    }

    fn gossip(&mut self, node: usize, input: Input) {
        let now = self.clock(node);
        let Some(live) = self.live(node) else { return };
        for effect in live.gossip.machine.handle(input, now) {
            match effect {
                Effect::Send { to, frame } => self.send(node, index(to), Message::Frame(frame)),
                Effect::Changed(other) => self.neighbour_changed(node, other),
                Effect::PersistIncarnation(n) => self.write(node, Write::Incarnation(n), Then::Nothing),
            }
        }
        self.set_gossip_wake(node);
    }

    fn set_gossip_wake(&mut self, node: usize) {
        let now = self.now;
        let Some(live) = self.nodes[node].live.as_mut() else { return };
        let wake = live.gossip.machine.next_wake().map(|t| live.when(t).max(now + 1));
        if wake.is_some() && wake != live.gossip.wake {
            live.gossip.wake = wake;
            let (at, life) = (wake.unwrap_or_default(), self.life(node));
            self.at(at - now, Event::GossipWake { node, life, at });
        }
    }

    /// Takes over what the machine knows of `other`.
    fn neighbour_changed(&mut self, node: usize, other: NodeId) {
        let Some(live) = self.nodes[node].live.as_mut() else { return };
        let Some(member) = live.gossip.machine.member(&other) else { return };
        let liveness = match member.liveness {
            ikigai_membership::Liveness::Alive => Liveness::Alive,
            ikigai_membership::Liveness::Suspect => Liveness::Suspect,
            ikigai_membership::Liveness::Dead => Liveness::Dead,
        };
        let (Some(ad), Some(heard_at)) = (Ad::decode(member.advertisement), member.heard_at) else { return };
        let results = ad.results.clone();
        let known = live.gossip.neighbours.entry(index(other)).or_insert_with(|| Neighbour {
            ad: ad.clone(),
            liveness,
            heard_at,
            shunned_until: Timestamp(0),
        });
        (known.ad, known.liveness, known.heard_at) = (ad, liveness, heard_at);
        if !std::mem::replace(&mut live.gossip.settling, true) {
            let (wait, life) = (SETTLE, self.life(node));
            self.at(wait, Event::Settled { node, life });
        }
        self.believe(node, &results);
    }

    pub fn settled(&mut self, node: usize) {
        if let Some(live) = self.live(node) {
            live.gossip.settling = false;
            self.observe(node, Observation::CapacityChanged);
        }
    }

    /// What is free here is another: the others are told.
    pub fn advertise(&mut self, node: usize) {
        let ad = self.ad_of(node);
        let Some(live) = self.live(node) else { return };
        if live.gossip.told != ad {
            live.gossip.told = ad.clone();
            self.gossip(node, Input::Advertise(ad.encode()));
        }
    }

    pub fn shun(&mut self, node: usize, other: usize) {
        let until = self.clock(node).after(Duration::from_millis(SHUNNED));
        if let Some(n) = self.live(node).and_then(|l| l.gossip.neighbours.get_mut(&other)) {
            n.shunned_until = until;
        }
    }

    pub fn refreshed(&mut self, node: usize, other: usize, ad: Ad) {
        let now = self.clock(node);
        if let Some(n) = self.live(node).and_then(|l| l.gossip.neighbours.get_mut(&other)) {
            (n.ad, n.heard_at) = (ad, now);
        }
    }

    /// What placement is shown by `node`: itself as it is, less what was granted and has not arrived; each
    /// other as it last described itself, less what was granted there since.
    pub fn candidates(&self, node: usize) -> Vec<Candidate> {
        let Some(live) = &self.nodes[node].live else { return Vec::new() };
        let owner = &live.driver.owner;
        let coming = granted(owner, node_id(node), |a| !live.seats.contains_key(&a.fence));
        let total = self.nodes[node].total;
        let own = Candidate { free: total.minus(&live.taken()).minus(&coming), ..candidate(node, total) };
        let now = live.clock(self.now);
        let others = live.gossip.neighbours.iter().map(|(other, n)| {
            // What has not begun may not have arrived, however young the description is.
            let pending = |a: &Attempt| a.started_at >= n.heard_at || a.workload.is_none();
            let since = granted(owner, node_id(*other), pending);
            let shunned = now < n.shunned_until;
            Candidate {
                liveness: if shunned { Liveness::Suspect } else { n.liveness },
                age: now.since(n.heard_at),
                free: n.ad.free.minus(&since),
                ..candidate(*other, n.ad.total)
            }
        });
        std::iter::once(own).chain(others).collect()
    }

    /// Attempts whose results are here. Only nodes that are planted to believe them say so.
    pub fn results(&self, node: usize) -> Vec<Fence> {
        if self.bug != Some(Bug::AcceptanceByGossip) {
            return Vec::new();
        }
        let live = self.nodes[node].live.as_ref();
        let seats = live.into_iter().flat_map(|l| l.seats.iter());
        seats.filter(|(_, s)| s.result().is_some()).map(|(fence, _)| fence.clone()).take(4).collect()
    }
}

fn candidate(node: usize, total: Resources) -> Candidate {
    Candidate {
        allocatable: total,
        adapters: vec!["codex".to_owned()],
        ..Candidate::new(node_id(node), format!("n{node}"))
    }
}

/// What leases of `owner` on `node` ask that `counts`.
fn granted(owner: &Owner, node: NodeId, counts: impl Fn(&Attempt) -> bool) -> Resources {
    let active = owner.tasks().values().filter_map(|t| t.active().map(|a| (t, a)));
    let taken = active.filter(|(_, a)| a.node == node && counts(a));
    taken.fold(Resources::default(), |sum, (t, _)| sum.plus(&t.spec.request))
}

/// The owner of a task, as its name tells.
pub fn owner_of(task: &TaskId) -> usize {
    let digits = task.as_str().trim_start_matches('p').split('.').next();
    digits.and_then(|d| d.parse().ok()).expect("a task of this world")
}
