//! Who may link, read at every connection.

use crate::key;
use ikigai_ports::mesh::Allowed;
use ikigai_types::NodeId;
use libp2p::PeerId;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// What the other end of a connection is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An enrolled node.
    Peer,
    /// Somebody with an invitation: may open `Lane::Join`, may not be opened to.
    Guest,
    /// The node that this one, itself a guest, asks to be let in: may open nothing.
    Host,
}

/// The present roles; what is not in here is refused.
#[derive(Debug, Default)]
pub struct Roles(RwLock<HashMap<PeerId, (Role, NodeId)>>);

impl Roles {
    /// Only `host`, for a joiner.
    pub fn host(host: PeerId, node: NodeId) -> Self {
        Self(RwLock::new([(host, (Role::Host, node))].into()))
    }

    /// Replaces all. A key that is no key is left out, `me` too; an enrolled node is no guest.
    pub fn replace(&self, me: NodeId, allowed: &Allowed) {
        let guests = allowed.guests.iter().map(|id| (id, Role::Guest));
        let all = guests.chain(allowed.peers.keys().map(|id| (id, Role::Peer)));
        let all = all.filter(|(id, _)| **id != me);
        let all = all.filter_map(|(id, role)| Some((key::peer(id)?, (role, *id)))).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// What `peer` is now.
    pub fn of(&self, peer: &PeerId) -> Option<(Role, NodeId)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(peer).copied()
    }
}
