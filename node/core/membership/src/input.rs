//! What the machine is told.

use crate::book::Book;
use crate::seal::Seal;
use ikigai_types::NodeId;
use std::sync::Arc;

/// Who this node is.
#[derive(Debug, Clone)]
pub struct Me {
    /// Its id.
    pub node: NodeId,
    /// What [`crate::Effect::PersistIncarnation`] last gave, 0 for a new node. This life uses a greater one.
    pub incarnation: u64,
    /// What it says of itself at first; at most [`crate::ADVERTISEMENT_MAX`] bytes.
    pub advertisement: Vec<u8>,
    /// Who is enrolled, and what was last known of them; may be empty.
    pub book: Book,
    /// Makes and checks the seals of records.
    pub seal: Arc<dyn Seal>,
}

/// What the machine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    // Commands: someone asks.
    /// Say this of this node from now on. More than [`crate::ADVERTISEMENT_MAX`] bytes are refused: nothing
    /// changes. The same bytes as before change nothing either.
    Advertise(Vec<u8>),
    /// This node is enrolled: it may be a member.
    PeerAllowed(NodeId),
    /// It is no longer.
    PeerRevoked(NodeId),
    /// Tell the others that this node goes; after that the machine is silent.
    Leave,

    // Observations: the world says.
    /// `frame` came over the authenticated link from `from`.
    Frame {
        /// Who sent it; frames of nodes that are not enrolled are dropped.
        from: NodeId,
        /// Any bytes.
        frame: Vec<u8>,
    },
    /// A link to this node stands.
    LinkUp(NodeId),
    /// The last link to this node broke.
    LinkDown(NodeId),

    /// The time of [`crate::Membership::next_wake`] has come.
    Wake,
}
