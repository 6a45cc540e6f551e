//! A behaviour that exists for enrolled nodes alone: guests get no handler of it, and it never hears of them.

use crate::roles::{Role, Roles};
use either::Either;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll};

/// `inner`, for enrolled nodes alone.
pub struct ForPeers<B> {
    pub inner: B,
    roles: Arc<Roles>,
    /// Connections that `inner` does not know.
    hidden: HashSet<ConnectionId>,
    /// Those that it does.
    shown: HashMap<ConnectionId, PeerId>,
}

impl<B> ForPeers<B> {
    pub fn new(inner: B, roles: Arc<Roles>) -> Self {
        Self { inner, roles, hidden: HashSet::new(), shown: HashMap::new() }
    }

    /// An event for any of a peer's connections goes to one with a handler of `inner`, when some are without: a
    /// guest that was enrolled has both kinds for a moment.
    fn aim<E, F>(&self, mut event: ToSwarm<E, F>) -> Option<ToSwarm<E, F>> {
        if let ToSwarm::NotifyHandler { peer_id, handler, .. } = &mut event
            && matches!(handler, NotifyHandler::Any)
            && !self.hidden.is_empty()
        {
            let (id, _) = self.shown.iter().find(|(_, peer)| *peer == peer_id)?;
            *handler = NotifyHandler::One(*id);
        }
        Some(event)
    }

    fn is_peer(&self, peer: &PeerId) -> bool {
        matches!(self.roles.of(peer), Some((Role::Peer, _)))
    }
}

/// The connection that an event is about.
fn connection(event: &FromSwarm) -> Option<(ConnectionId, bool)> {
    match event {
        FromSwarm::ConnectionEstablished(e) => Some((e.connection_id, false)),
        FromSwarm::AddressChange(e) => Some((e.connection_id, false)),
        FromSwarm::ConnectionClosed(e) => Some((e.connection_id, true)),
        FromSwarm::DialFailure(e) => Some((e.connection_id, true)),
        FromSwarm::ListenFailure(e) => Some((e.connection_id, true)),
        _ => None,
    }
}

// === impl NetworkBehaviour ===

impl<B: NetworkBehaviour> NetworkBehaviour for ForPeers<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.is_peer(&peer) {
            self.hidden.insert(id);
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_inbound_connection(id, peer, local, remote).map(Either::Left)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(id, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.is_peer(&peer) {
            self.hidden.insert(id);
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_outbound_connection(id, peer, address, role, port).map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if let Some((id, is_last)) = connection(&event)
            && self.hidden.contains(&id)
        {
            if is_last {
                self.hidden.remove(&id);
            }
            return;
        }
        match &event {
            FromSwarm::ConnectionEstablished(e) => {
                self.shown.insert(e.connection_id, e.peer_id);
            }
            FromSwarm::ConnectionClosed(e) => {
                self.shown.remove(&e.connection_id);
            }
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Either::Left(event) => self.inner.on_connection_handler_event(peer, id, event),
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            let event = std::task::ready!(self.inner.poll(cx));
            if let Some(event) = self.aim(event) {
                return Poll::Ready(event.map_in(Either::Left));
            }
        }
    }
}
