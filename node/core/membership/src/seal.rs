//! What makes a record its node's own: a signature that the driver knows how to make and check.

use ikigai_types::NodeId;
use std::fmt;

/// Makes and checks seals. Pure: the same claim, the same answer.
///
/// The claim holds the node, its incarnation, the version and the advertisement. A driver signs it with the
/// node's key, under a context of its own, so that a signature made elsewhere is never a seal.
pub trait Seal: fmt::Debug + Send + Sync {
    /// The seal of this node under `claim`; at most [`SEAL_MAX`] bytes.
    fn seal(&self, claim: &[u8]) -> Vec<u8>;
    /// Whether `seal` is `node`'s under `claim`.
    fn holds(&self, node: &NodeId, claim: &[u8], seal: &[u8]) -> bool;
}

/// The longest seal.
pub const SEAL_MAX: usize = 128;

/// No seals: for tests, and for meshes in which all nodes are trusted to relay truly.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsealed;

impl Seal for Unsealed {
    fn seal(&self, _: &[u8]) -> Vec<u8> {
        Vec::new()
    }

    fn holds(&self, _: &NodeId, _: &[u8], _: &[u8]) -> bool {
        true
    }
}
