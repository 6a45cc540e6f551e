//! Who gets in: the first behaviour that is asked about a connection.

use crate::address::is_relayed;
use crate::options::{GUEST_CONNECTIONS, MEMORY, PENDING_IN_PER_IP, SILENCE};
use crate::roles::{Role, Roles};
use crate::table::Table;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, ListenFailure};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Refuses whoever has no role here, right after the handshake and before any protocol; and whom we have no
/// room for, before the handshake.
pub struct Door {
    roles: Arc<Roles>,
    table: Arc<Table>,
    /// Handshakes under way, with where they come from.
    pending: HashMap<ConnectionId, IpAddr>,
    guests: HashSet<ConnectionId>,
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("its key is not enrolled")]
    Stranger,
    #[error("too many handshakes from one address")]
    Crowd,
    #[error("too many guests")]
    Guests,
    #[error("this process holds too much memory")]
    Memory,
    #[error("there is a connection already")]
    Linked,
}

impl Refusal {
    fn deny<T>(self) -> Result<T, ConnectionDenied> {
        Err(ConnectionDenied::new(self))
    }
}

impl Door {
    pub fn new(roles: Arc<Roles>, table: Arc<Table>) -> Self {
        Self { roles, table, pending: HashMap::new(), guests: HashSet::new() }
    }
}

/// Where a connection comes from; none for relayed ones, which a peer vouches for.
fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

/// Memory of this process in bytes; 0 when it cannot be told.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * 4_096
}

// === impl NetworkBehaviour ===

impl NetworkBehaviour for Door {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if memory() > MEMORY {
            return Refusal::Memory.deny();
        }
        if let Some(ip) = ip(remote) {
            if self.pending.values().filter(|other| **other == ip).count() >= PENDING_IN_PER_IP {
                return Refusal::Crowd.deny();
            }
            self.pending.insert(id, ip);
        }
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        match self.roles.of(&peer) {
            None => Refusal::Stranger.deny(),
            Some((Role::Guest, _)) if self.guests.len() >= GUEST_CONNECTIONS => Refusal::Guests.deny(),
            Some((Role::Guest, _)) => {
                self.guests.insert(id);
                Ok(dummy::ConnectionHandler)
            }
            Some((Role::Peer, _)) => Ok(dummy::ConnectionHandler),
            // A joiner dials and is not dialled.
            Some((Role::Host, _)) => Refusal::Stranger.deny(),
        }
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        match peer.and_then(|p| self.roles.of(&p)) {
            Some((Role::Peer | Role::Host, _)) => Ok(Vec::new()),
            _ => Refusal::Stranger.deny(),
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let Some((Role::Peer | Role::Host, node)) = self.roles.of(&peer) else {
            return Refusal::Stranger.deny();
        };
        // Dials overlap; the second that succeeds is too much. Both ends see the same of it: this end closes.
        let plain = role == Endpoint::Dialer && !is_relayed(address);
        let mut ours = self.table.of(&node).into_iter().filter(|c| c.dialled && !c.relayed);
        if plain && ours.any(|c| c.heard().elapsed() < SILENCE / 2) {
            return Refusal::Linked.deny();
        }
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        let (FromSwarm::ConnectionClosed(ConnectionClosed { connection_id: id, .. })
        | FromSwarm::ListenFailure(ListenFailure { connection_id: id, .. })
        | FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id: id, .. })) = event
        else {
            return;
        };
        self.pending.remove(&id);
        if !matches!(event, FromSwarm::ConnectionEstablished(_)) {
            self.guests.remove(&id);
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, never: THandlerOutEvent<Self>) {
        match never {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
