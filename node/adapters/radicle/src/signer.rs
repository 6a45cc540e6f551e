//! The Signer port on ed25519 keys as Radicle holds them, and a node's id as Radicle writes it.

use ikigai_ports::{PortError, PortResult, Rng, Signer};
use ikigai_types::NodeId;
use radicle_crypto::signature::Signer as Signing;
use radicle_crypto::{PublicKey, Seed, Signature, Signer as Keyed, SigningKey};
use std::fmt;

/// Signs with a key in memory; the key is wiped when this is dropped.
pub struct KeySigner(SigningKey);

impl KeySigner {
    /// The key that belongs to `seed`: the node's own.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_seed(Seed::new(seed)))
    }

    /// A new key, made for one attempt.
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// The node this key is of.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_bytes(self.public_key())
    }
}

impl Signer for KeySigner {
    fn public_key(&self) -> [u8; 32] {
        Keyed::public_key(&self.0).into_inner()
    }

    fn sign(&self, message: &[u8]) -> PortResult<[u8; 64]> {
        let signature: Signature = Signing::try_sign(&self.0, message)
            .map_err(|e| PortError::failed("signing with an ed25519 key", e))?;
        Ok(signature.to_bytes())
    }
}

impl fmt::Debug for KeySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySigner({}, [redacted])", self.node_id().short())
    }
}

/// A node's id as Radicle writes it: `z6Mk…`.
pub fn nid(node: &NodeId) -> String {
    PublicKey::from(*node.as_bytes()).to_human()
}

/// Reads what [`nid`] writes; a `did:key:` before it is allowed.
///
/// # Errors
/// [`PortError::Refused`] when it is no ed25519 key of Radicle's.
pub fn node_id(text: &str) -> PortResult<NodeId> {
    let key: Result<PublicKey, _> = text.strip_prefix("did:key:").unwrap_or(text).parse();
    key.map(|key| NodeId::from_bytes(key.into_inner())).map_err(|_| {
        let given: String = text.chars().take(80).collect();
        PortError::Refused(format!("`{given}` is not a Radicle node id (z6Mk…)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use radicle_crypto::VerifyingKey;
    use radicle_crypto::signature::Verifier;

    #[test]
    fn a_signature_verifies_and_the_key_stays_hidden() {
        let signer = KeySigner::from_seed([9; 32]);
        let signature = Signature::from_bytes(&signer.sign(b"text").unwrap());
        let key = VerifyingKey::try_from(&PublicKey::from(signer.public_key())).unwrap();
        assert!(key.verify(b"text", &signature).is_ok());
        assert!(key.verify(b"other", &signature).is_err());
        assert!(format!("{signer:?}").contains("redacted"));
    }

    #[test]
    fn a_node_id_reads_back_from_radicles_form() {
        let node = KeySigner::from_seed([1; 32]).node_id();
        assert!(nid(&node).starts_with("z6Mk"));
        assert_eq!(node_id(&nid(&node)).unwrap(), node);
        assert_eq!(node_id(&format!("did:key:{}", nid(&node))).unwrap(), node);
        assert!(node_id("z6Mknope").is_err());
    }
}
