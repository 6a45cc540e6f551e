//! Which peers carry links for this node.

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Relays that this node can be reached through.
const WANTED: usize = 2;
/// Relays that one dial goes through.
const PER_DIAL: usize = 3;
/// Time between two tries with one relay.
const AGAIN: Duration = Duration::from_secs(30);

/// Peers that offer to relay, as they are seen now.
#[derive(Debug, Default)]
pub struct Relays {
    offers: BTreeMap<PeerId, Offer>,
    /// Places asked for or held.
    places: HashMap<ListenerId, PeerId>,
}

#[derive(Debug)]
struct Offer {
    address: Multiaddr,
    /// Whether others, too, reach it at `address`.
    known: bool,
    asked: Option<Instant>,
}

impl Relays {
    /// A peer that is linked directly offers to relay; `known` when this node dialled it at `address`.
    pub fn offered(&mut self, peer: PeerId, address: Multiaddr, known: bool) {
        let asked = self.offers.get(&peer).and_then(|o| o.asked);
        self.offers.insert(peer, Offer { address, known, asked });
    }

    /// A peer is gone.
    pub fn gone(&mut self, peer: &PeerId) {
        self.offers.remove(peer);
    }

    /// Where to listen next, if another relay is wanted.
    pub fn wish(&mut self, now: Instant) -> Option<(PeerId, Multiaddr)> {
        if self.places.len() >= WANTED {
            return None;
        }
        let places = &self.places;
        let is_free = |peer: &PeerId| !places.values().any(|p| p == peer);
        let may_ask = |o: &Offer| o.known && o.asked.is_none_or(|at| now >= at + AGAIN);
        let (peer, offer) = self.offers.iter_mut().find(|(peer, o)| is_free(peer) && may_ask(o))?;
        offer.asked = Some(now);
        Some((*peer, circuit(&offer.address, *peer)))
    }

    /// A place was asked for.
    pub fn asked(&mut self, listener: ListenerId, relay: PeerId) {
        self.places.insert(listener, relay);
    }

    /// A place is lost; whether it was one.
    pub fn lost(&mut self, listener: ListenerId) -> bool {
        self.places.remove(&listener).is_some()
    }

    /// Ways to `peer`.
    pub fn ways(&self, peer: &PeerId) -> impl Iterator<Item = Multiaddr> {
        let others = self.offers.iter().filter(move |(relay, _)| *relay != peer);
        others.take(PER_DIAL).map(|(relay, offer)| circuit(&offer.address, *relay))
    }
}

fn circuit(address: &Multiaddr, relay: PeerId) -> Multiaddr {
    address.clone().with(Protocol::P2p(relay)).with(Protocol::P2pCircuit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_places_are_wanted_and_not_asked_for_all_the_time() {
        let now = Instant::now();
        let peers: Vec<_> = (0..4).map(|_| PeerId::random()).collect();
        let mut relays = Relays::default();
        assert_eq!(relays.wish(now), None);
        for peer in &peers {
            relays.offered(*peer, "/ip4/192.0.2.7/tcp/7421".parse().unwrap(), *peer != peers[0]);
        }
        let (first, address) = relays.wish(now).unwrap();
        assert!(first != peers[0], "others may not reach it");
        assert_eq!(address.to_string(), format!("/ip4/192.0.2.7/tcp/7421/p2p/{first}/p2p-circuit"));
        let listeners = [ListenerId::next(), ListenerId::next()];
        relays.asked(listeners[0], first);
        let (second, _) = relays.wish(now).unwrap();
        assert_ne!(second, first);
        relays.asked(listeners[1], second);
        assert_eq!(relays.wish(now), None, "two are enough");
        assert!(relays.lost(listeners[0]));
        let (third, _) = relays.wish(now).unwrap();
        assert!(third != first && third != second);
        assert_eq!(relays.wish(now), None, "each was asked just now");
        assert_eq!(relays.wish(now + AGAIN).unwrap().0, first.min(third));
        assert_eq!(relays.ways(&first).count(), PER_DIAL);
        assert!(relays.ways(&first).all(|way| !way.to_string().contains(&first.to_string())));
        relays.gone(&first);
        relays.gone(&third);
        assert_eq!(relays.wish(now + 3 * AGAIN), None);
    }
}
