//! Whom to dial, where and when.

use crate::address::{is_dialable, is_relayed, parse, without_peer};
use crate::key;
use crate::options::{ADDRESSES, LEARNED};
use ikigai_types::NodeId;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Time between two dials while a peer is away. Dials overlap, as one that lost its first packet may take long:
/// a link that returns is found within this, and works within two seconds on a machine that is busy too.
const RETRY: Duration = Duration::from_secs(1);
/// Time between the first two dials.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The same after [`PATIENCE`] failures; a caller who asks for the peer still has it dialled at once.
const RETRY_LATE: Duration = Duration::from_secs(5);
const PATIENCE: u32 = 625;
/// After so many failures relays are tried too.
const DIRECT_FIRST: u32 = 2;
/// Time between tries to reach directly whom a relay reaches.
const DIRECT_AGAIN: Duration = Duration::from_secs(30);
/// Dials of one peer under way at once; with [`RETRY`], as long as a handshake may take.
const OVERLAP: usize = 5;
/// A link that lived shorter was no success.
const PROVEN: Duration = Duration::from_secs(3);
/// Least time between dials that callers ask for.
const WANTED: Duration = Duration::from_millis(250);
/// How long an address where somebody else answered is left alone.
const WRONG: Duration = Duration::from_secs(60);

/// The enrolled nodes, and how it goes with reaching each.
#[derive(Debug, Default)]
pub struct Book(HashMap<PeerId, Entry>);

#[derive(Debug)]
struct Entry {
    told: Vec<Multiaddr>,
    learned: VecDeque<Multiaddr>,
    /// Where somebody else answered, and when that was.
    wrong: Vec<(Multiaddr, Instant)>,
    dialling: HashSet<ConnectionId>,
    failures: u32,
    last: Option<Instant>,
    link: Linked,
    /// When to dial next; none while linked directly.
    due: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linked {
    No,
    Relayed,
    Directly,
}

/// A dial to make.
#[derive(Debug, PartialEq, Eq)]
pub struct Dial {
    pub peer: PeerId,
    pub addresses: Vec<Multiaddr>,
    /// Also when there is a connection, as that is relayed.
    pub upgrade: bool,
    /// Ways through relays help.
    pub relays: bool,
}

impl Book {
    /// Takes in who is enrolled; new ones are dialled at once, also those with new addresses.
    pub fn set(&mut self, me: NodeId, peers: &BTreeMap<NodeId, Vec<String>>, now: Instant) {
        let mut old = std::mem::take(&mut self.0);
        for (node, addresses) in peers.iter().filter(|(node, _)| **node != me) {
            let Some(peer) = key::peer(node) else {
                tracing::warn!(%node, "not dialled: its id is no key");
                continue;
            };
            let told: Vec<_> = addresses.iter().filter_map(|text| parse(text)).take(ADDRESSES).collect();
            let mut entry = old.remove(&peer).unwrap_or_else(|| Entry::new(now));
            if entry.told != told {
                entry.told = told;
                entry.failures = 0;
                entry.due = entry.due.map(|_| now);
            }
            self.0.insert(peer, entry);
        }
    }

    /// Notes an address that the network told; whether it is news.
    pub fn learn(&mut self, peer: &PeerId, address: &Multiaddr) -> bool {
        let address = without_peer(address);
        let Some(entry) = self.0.get_mut(peer) else { return false };
        if !is_dialable(&address) || entry.told.contains(&address) || entry.learned.contains(&address) {
            return false;
        }
        entry.learned.push_front(address);
        entry.learned.truncate(LEARNED);
        true
    }

    /// Somebody else answered at an address: one that was learned is forgotten, one that was told left alone for
    /// a while, as it would spoil the dials of all the others.
    pub fn wrong(&mut self, peer: &PeerId, address: &Multiaddr, now: Instant) {
        let address = without_peer(address);
        if let Some(entry) = self.0.get_mut(peer) {
            entry.learned.retain(|a| *a != address);
            entry.wrong.retain(|(a, at)| *a != address && now < *at + WRONG);
            entry.wrong.push((address, now));
            entry.wrong.truncate(ADDRESSES);
        }
    }

    /// Somebody waits for `peer`, or a new address of it is known.
    pub fn want(&mut self, peer: &PeerId, now: Instant) {
        if let Some(entry) = self.0.get_mut(peer).filter(|e| e.link == Linked::No) {
            let earliest = entry.last.map_or(now, |last| now.max(last + WANTED));
            entry.due = entry.due.map(|due| due.min(earliest));
        }
    }

    /// Whom to dial now, and where.
    pub fn take_due(&mut self, now: Instant) -> Vec<Dial> {
        let due = self.0.iter_mut().filter(|(_, e)| e.due.is_some_and(|due| due <= now));
        due.filter_map(|(peer, entry)| entry.dial(*peer, now)).collect()
    }

    /// When somebody is to be dialled next.
    pub fn next_due(&self) -> Option<Instant> {
        self.0.values().filter_map(|e| e.due).min()
    }

    /// A dial is under way.
    pub fn dialling(&mut self, peer: &PeerId, id: ConnectionId) {
        if let Some(entry) = self.0.get_mut(peer) {
            entry.dialling.insert(id);
        }
    }

    /// A dial ended, well or not.
    pub fn dialled(&mut self, peer: &PeerId, id: ConnectionId) {
        if let Some(entry) = self.0.get_mut(peer) {
            entry.dialling.remove(&id);
        }
    }

    /// There is a connection.
    pub fn linked(&mut self, peer: &PeerId, directly: bool, now: Instant) {
        if let Some(entry) = self.0.get_mut(peer) {
            entry.link = if directly { Linked::Directly } else { Linked::Relayed };
            entry.due = (!directly).then_some(now + DIRECT_AGAIN);
        }
    }

    /// The last connection, which had lived for `lived`, is gone.
    pub fn unlinked(&mut self, peer: &PeerId, lived: Duration, now: Instant) {
        if let Some(entry) = self.0.get_mut(peer) {
            let proven = lived >= PROVEN;
            if proven {
                entry.failures = 0;
            }
            entry.link = Linked::No;
            // One who refuses us after each handshake is not asked without a pause.
            entry.due = Some(if proven { now } else { now + entry.pause() });
        }
    }
}

impl Entry {
    fn new(now: Instant) -> Self {
        let (told, learned, wrong, dialling) = Default::default();
        let (last, link, due) = (None, Linked::No, Some(now));
        Self { told, learned, wrong, dialling, failures: 0, last, link, due }
    }

    fn dial(&mut self, peer: PeerId, now: Instant) -> Option<Dial> {
        let upgrade = self.link == Linked::Relayed;
        let relays = !upgrade && self.failures >= DIRECT_FIRST;
        self.due = Some(now + if upgrade { DIRECT_AGAIN } else { self.pause() });
        self.failures = self.failures.saturating_add(1);
        if self.dialling.len() >= OVERLAP {
            return None;
        }
        self.last = Some(now);
        let usable = |a: &&Multiaddr| relays || !is_relayed(a);
        let all: Vec<_> = self.told.iter().chain(&self.learned).filter(usable).cloned().collect();
        let is_wrong = |a: &Multiaddr| self.wrong.iter().any(|(w, at)| w == a && now < *at + WRONG);
        let good: Vec<_> = all.iter().filter(|a| !is_wrong(a)).cloned().collect();
        let addresses = if good.is_empty() { all } else { good };
        Some(Dial { peer, addresses, upgrade, relays })
    }

    fn pause(&self) -> Duration {
        match self.failures {
            0 => RETRY_FIRST,
            PATIENCE.. => RETRY_LATE,
            _ => RETRY,
        }
    }
}

#[cfg(test)]
mod tests;
