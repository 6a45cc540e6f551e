//! Whom to dial, where and when.

use crate::key;
use crate::options::{ADDRESSES, LEARNED};
use ikigai_types::NodeId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Time between two dials while a peer is away. Dials overlap, as one that lost its first packet may take long:
/// a link that returns is found within this.
const RETRY: Duration = Duration::from_millis(1_250);
/// Time between the first two dials.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The same after [`PATIENCE`] failures; a caller who asks for the peer still has it dialled at once.
const RETRY_LATE: Duration = Duration::from_secs(5);
const PATIENCE: u32 = 500;
/// Dials of one peer under way at once; with [`RETRY`], longer than a handshake may take.
const OVERLAP: usize = 5;
/// A link that lived shorter was no success.
const PROVEN: Duration = Duration::from_secs(3);
/// Least time between dials that callers ask for.
const WANTED: Duration = Duration::from_millis(250);

/// The enrolled nodes, and how it goes with reaching each.
#[derive(Debug, Default)]
pub struct Book(HashMap<PeerId, Entry>);

#[derive(Debug)]
struct Entry {
    told: Vec<Multiaddr>,
    learned: VecDeque<Multiaddr>,
    dialling: HashSet<ConnectionId>,
    failures: u32,
    last: Option<Instant>,
    /// When to dial next; none while linked.
    due: Option<Instant>,
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

    /// Forgets a learned address, where somebody else answered.
    pub fn unlearn(&mut self, peer: &PeerId, address: &Multiaddr) {
        let address = without_peer(address);
        if let Some(entry) = self.0.get_mut(peer) {
            entry.learned.retain(|a| *a != address);
        }
    }

    /// Somebody waits for `peer`, or a new address of it is known.
    pub fn want(&mut self, peer: &PeerId, now: Instant) {
        if let Some(entry) = self.0.get_mut(peer) {
            let earliest = entry.last.map_or(now, |last| now.max(last + WANTED));
            entry.due = entry.due.map(|due| due.min(earliest));
        }
    }

    /// Whom to dial now, and where.
    pub fn take_due(&mut self, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut found = Vec::new();
        for (peer, entry) in &mut self.0 {
            if entry.due.is_none_or(|due| due > now) {
                continue;
            }
            entry.due = Some(now + entry.pause());
            entry.failures = entry.failures.saturating_add(1);
            let addresses: Vec<_> = entry.told.iter().chain(&entry.learned).cloned().collect();
            if entry.dialling.len() < OVERLAP && !addresses.is_empty() {
                entry.last = Some(now);
                found.push((*peer, addresses));
            }
        }
        found
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

    /// A connection is there.
    pub fn linked(&mut self, peer: &PeerId) {
        if let Some(entry) = self.0.get_mut(peer) {
            entry.due = None;
        }
    }

    /// The last connection, which had lived for `lived`, is gone.
    pub fn unlinked(&mut self, peer: &PeerId, lived: Duration, now: Instant) {
        if let Some(entry) = self.0.get_mut(peer) {
            let proven = lived >= PROVEN;
            if proven {
                entry.failures = 0;
            }
            // One who refuses us after each handshake is not asked without a pause.
            entry.due = Some(if proven { now } else { now + entry.pause() });
        }
    }
}

impl Entry {
    fn new(now: Instant) -> Self {
        let (told, learned, dialling) = Default::default();
        Self { told, learned, dialling, failures: 0, last: None, due: Some(now) }
    }

    fn pause(&self) -> Duration {
        match self.failures {
            0 => RETRY_FIRST,
            PATIENCE.. => RETRY_LATE,
            _ => RETRY,
        }
    }
}

/// An address as enrolment tells it; none, with a warning, when it cannot be dialled.
pub fn parse(text: &str) -> Option<Multiaddr> {
    let address = text.parse().ok().map(|a| without_peer(&a)).filter(is_dialable);
    if address.is_none() {
        let text: String = text.chars().take(200).collect();
        tracing::warn!(address = text, "address not used: want one like /ip4/192.0.2.7/tcp/7421");
    }
    address
}

/// An address without the name of whom it leads to.
pub fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if let Some(Protocol::P2p(_)) = address.iter().last() {
        address.pop();
    }
    address
}

/// Whether our transports can dial it.
fn is_dialable(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified() && !ip.is_multicast(),
        _ => false,
    };
    let port = match parts.next() {
        Some(Protocol::Tcp(port)) => port != 0,
        Some(Protocol::Udp(port)) => port != 0 && parts.next() == Some(Protocol::QuicV1),
        _ => false,
    };
    host && port && parts.next().is_none()
}
