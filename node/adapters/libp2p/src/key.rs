//! A node's key, and libp2p's view of it.

use ikigai_types::NodeId;
use libp2p::PeerId;
use libp2p::identity::{Keypair, PublicKey, ed25519};

/// The key pair of `seed`.
pub fn pair(mut seed: [u8; 32]) -> Keypair {
    Keypair::ed25519_from_bytes(&mut seed).expect("invariant: every 32 bytes are a seed")
}

/// The node that holds the private half.
pub fn node(pair: &Keypair) -> NodeId {
    let public = pair.public().try_into_ed25519().expect("invariant: made as ed25519");
    NodeId::from_bytes(public.to_bytes())
}

/// libp2p's name for a node; none when its bytes are no key.
pub fn peer(node: &NodeId) -> Option<PeerId> {
    let public = ed25519::PublicKey::try_from_bytes(node.as_bytes()).ok()?;
    Some(PublicKey::from(public).to_peer_id())
}

/// The node that libp2p calls `peer`; none when its key is not an ed25519 one.
pub fn node_of(peer: &PeerId) -> Option<NodeId> {
    // A small key stands in the id itself (multihash "identity"), in protobuf.
    let hash = peer.as_ref();
    if hash.code() != 0 {
        return None;
    }
    let public = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    Some(NodeId::from_bytes(public.try_into_ed25519().ok()?.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_has_two_names() {
        // RFC 8032, test 1.
        let mut seed = [0; 32];
        let hex = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        (0..32).for_each(|i| seed[i] = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap());
        let pair = pair(seed);
        let id = node(&pair);
        assert_eq!(id.to_string(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let name = peer(&id).unwrap();
        assert_eq!(name, pair.public().to_peer_id());
        assert_eq!(node_of(&name), Some(id));
    }

    #[test]
    fn what_is_no_key_has_no_name() {
        assert_eq!(node_of(&PeerId::random()), None);
        // Not a point of the curve.
        let mut bytes = [0; 32];
        bytes[0] = 2;
        assert_eq!(peer(&NodeId::from_bytes(bytes)), None);
    }
}
