//! What a node says of itself, as the bytes that are gossiped, and when that is worth saying again.

use ikigai_ports::Signer;
use ikigai_types::{NodeId, Resources};
use ikigai_wire::peer::Advertisement;
use std::sync::Arc;

/// Quantities are told in steps of this share of what there is: smaller changes are not news.
const STEPS: u64 = 10;

/// The bytes of an advertisement.
///
/// # Panics
/// Never: it has string keys and no failing serializer.
pub(crate) fn encode(ad: &Advertisement) -> Vec<u8> {
    serde_json::to_vec(ad).expect("invariant: advertisements serialize")
}

/// What a peer says of itself, cleaned: it is shown to people. `None` when it cannot be read, or has
/// more left than there is.
pub(crate) fn decode(bytes: &[u8]) -> Option<Advertisement> {
    let mut ad: Advertisement = serde_json::from_slice(bytes).ok()?;
    ad.name = clean(&ad.name, 64);
    ad.version = clean(&ad.version, 32);
    // What tasks may use can be more than the machine has: whoever configured it may have overcommitted it.
    if ad.name.is_empty() || !ad.allocatable.covers(&ad.free) {
        return None;
    }
    Some(ad)
}

fn clean(text: &str, most: usize) -> String {
    let good = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(good).take(most).collect()
}

/// Whether `now` is worth telling to those who know `told`.
pub(crate) fn is_news(told: &Advertisement, now: &Advertisement) -> bool {
    let coarse = |ad: &Advertisement| Advertisement { free: steps(&ad.free, &ad.allocatable), ..ad.clone() };
    coarse(told) != coarse(now)
}

fn steps(free: &Resources, of: &Resources) -> Resources {
    let step = |have: u64, all: u64| have.saturating_mul(STEPS).checked_div(all).unwrap_or(0);
    Resources {
        cpu_millis: step(free.cpu_millis, of.cpu_millis),
        memory_bytes: step(free.memory_bytes, of.memory_bytes),
        disk_bytes: step(free.disk_bytes, of.disk_bytes),
        ..*free
    }
}

/// Seals records with the node's key, under a context that nothing else is signed in.
#[derive(Debug)]
pub(crate) struct KeySeal(pub(crate) Arc<dyn Signer>);

const CONTEXT: &[u8] = b"ikigai/advertisement/v1\0";

impl ikigai_membership::Seal for KeySeal {
    fn seal(&self, claim: &[u8]) -> Vec<u8> {
        match self.0.sign(&[CONTEXT, claim].concat()) {
            Ok(seal) => seal.to_vec(),
            Err(error) => {
                tracing::error!(error = error.chain(), "what this node says of itself cannot be signed");
                Vec::new()
            }
        }
    }

    fn holds(&self, node: &NodeId, claim: &[u8], seal: &[u8]) -> bool {
        let key = node.as_bytes();
        seal.try_into().is_ok_and(|seal| crate::peer::verify(key, &[CONTEXT, claim].concat(), seal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ad(cpu: u64, slots: u64) -> Advertisement {
        let all = Resources { cpu_millis: 4000, memory_bytes: 8 << 30, slots: 4, ..Resources::default() };
        Advertisement {
            name: "n\u{202e}1".to_owned(),
            version: "1".to_owned(),
            capacity: all,
            allocatable: all,
            free: Resources { cpu_millis: cpu, slots, ..all },
            tags: ikigai_types::Tags::default(),
            adapters: Vec::new(),
            providers: Vec::new(),
            images: Vec::new(),
            executor: "docker".to_owned(),
            isolation_missing: Vec::new(),
            cordoned: false,
            draining: false,
            taints: Vec::new(),
            classes: ikigai_types::ClassSlots::default(),
            repositories: Vec::new(),
            running: 0,
        }
    }

    #[test]
    fn small_changes_are_not_news_and_slots_always_are() {
        assert!(!is_news(&ad(3999, 4), &ad(3700, 4)));
        assert!(is_news(&ad(3999, 4), &ad(3500, 4)));
        assert!(is_news(&ad(4000, 4), &ad(4000, 3)));
    }

    #[test]
    fn what_a_peer_says_is_cleaned_and_what_cannot_be_is_refused() {
        assert_eq!(decode(&encode(&ad(1, 1))).unwrap().name, "n1");
        assert_eq!(decode(&encode(&ad(5000, 1))), None);
        assert_eq!(decode(b"{}"), None);
        assert_eq!(decode(&[0xff; 40]), None);
    }
}
