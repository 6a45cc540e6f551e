//! The task that turns the swarm: dials who is due, closes what is silent, tells what came and went.

mod listen;

use crate::address::{is_loopback, is_relayed};
use crate::book::{Book, Dial};
use crate::key;
use crate::opener::Nudge;
use crate::options::{GUEST, PING, SILENCE};
use crate::relays::Relays;
use crate::resolve::{is_name, resolve};
use crate::roles::{Role, Roles};
use crate::swarm::{Behaviour, BehaviourEvent, ProtocolsEvent};
use crate::table::{Conn, Table};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use ikigai_ports::mesh::Allowed;
use ikigai_types::NodeId;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, mdns, ping, relay};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How long listeners may take to have an address, and connections to end.
const MOMENT: Duration = Duration::from_secs(2);
/// Nodes on the local network that are remembered before discovery is switched off: somebody makes them up.
const DISCOVERED: usize = 1_024;

/// Everything the task holds.
pub struct Driver {
    pub me: NodeId,
    pub swarm: Swarm<Behaviour>,
    pub roles: Arc<Roles>,
    pub table: Arc<Table>,
    pub allowed: watch::Receiver<Arc<Allowed>>,
    pub nudges: mpsc::Receiver<Nudge>,
    pub addresses: Arc<Mutex<Vec<String>>>,
    pub stop: CancellationToken,
    /// Whether relays are used.
    pub relaying: bool,
    pub state: State,
}

/// What the task knows.
#[derive(Default)]
pub struct State {
    book: Book,
    relays: Relays,
    /// When each connection was made.
    born: HashMap<ConnectionId, Instant>,
    /// Dials whose names are being looked up.
    naming: FuturesUnordered<BoxFuture<'static, Dial>>,
}

impl Driver {
    /// Until told to stop.
    pub async fn run(mut self) {
        // However this ends: nobody waits for what will not come.
        let _closed = self.stop.clone().drop_guard();
        loop {
            let now = Instant::now();
            for dial in self.state.book.take_due(now) {
                self.prepare(dial);
            }
            self.ask_relays(now);
            let silent = self.close_silent(now);
            let due = self.state.book.next_due();
            let next = silent.into_iter().chain(due).min().unwrap_or(now + Duration::from_secs(3_600));
            tokio::select! {
                () = self.stop.cancelled() => break,
                Ok(()) = self.allowed.changed() => self.allow(),
                Some(nudge) = self.nudges.recv() => self.nudged(&nudge),
                Some(dial) = self.state.naming.next() => self.dial(dial),
                event = self.swarm.select_next_some() => self.on_event(event),
                () = sleep_until(next.into()) => {}
            }
        }
        self.leave().await;
    }

    async fn leave(&mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // It may have gone by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let gone = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        // What does not end in time ends with the swarm.
        let _ = timeout(MOMENT, gone).await;
    }

    fn allow(&mut self) {
        let allowed = Arc::clone(&self.allowed.borrow_and_update());
        self.state.book.set(self.me, &allowed.peers, Instant::now());
        for conn in self.table.all() {
            let Some(peer) = key::peer(&conn.node) else { continue };
            if self.roles.of(&peer).map(|(role, _)| role) == Some(conn.role) {
                self.settle(&peer);
            } else {
                self.close(&conn, "not allowed any more");
            }
        }
    }

    fn nudged(&mut self, nudge: &Nudge) {
        match nudge {
            Nudge::Dial(node) => {
                if let Some(peer) = key::peer(node) {
                    self.state.book.want(&peer, Instant::now());
                }
            }
            Nudge::Suspect(id) => {
                let conn = self.table.all().into_iter().find(|c| c.id == *id);
                if let Some(conn) = conn.filter(|c| c.heard().elapsed() > PING) {
                    self.close(&conn, "no answer");
                }
            }
        }
    }

    // === dials ===

    /// Completes a dial, and makes it unless names must be looked up first.
    fn prepare(&mut self, mut dial: Dial) {
        if dial.relays && self.relaying {
            dial.addresses.extend(self.state.relays.ways(&dial.peer));
        }
        if dial.addresses.iter().any(is_name) {
            let named = async move { Dial { addresses: resolve(dial.addresses).await, ..dial } };
            self.state.naming.push(named.boxed());
        } else {
            self.dial(dial);
        }
    }

    fn dial(&mut self, dial: Dial) {
        if dial.addresses.is_empty() {
            return;
        }
        let condition = if dial.upgrade { PeerCondition::Always } else { PeerCondition::Disconnected };
        // A port of its own: one that is shared with the listener would hit what the other end may still
        // hold of a connection that was cut.
        let options = DialOpts::peer_id(dial.peer)
            .condition(condition)
            .addresses(dial.addresses)
            .allocate_new_port()
            .build();
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => self.state.book.dialling(&dial.peer, id),
            Err(error) => tracing::debug!(peer = %dial.peer, %error, "not dialled"),
        }
    }

    // === connections ===

    /// Closes connections that nothing was heard on, and guests that stay too long; tells when to look again.
    fn close_silent(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        for conn in self.table.all() {
            let end = match conn.role {
                Role::Guest => conn.since() + GUEST,
                Role::Peer | Role::Host => conn.heard() + SILENCE,
            };
            if end <= now {
                self.close(&conn, "silent");
            } else {
                next = Some(next.map_or(end, |n: Instant| n.min(end)));
            }
        }
        next
    }

    fn close(&mut self, conn: &Conn, why: &str) {
        tracing::info!(peer = %conn.node, address = conn.address, why, "connection closed");
        // Gone for callers at once, whatever its socket still does.
        self.table.remove(&conn.node, conn.id);
        self.swarm.close_connection(conn.id);
    }

    /// Notes how `peer` is linked, and which of its connections nobody needs. One side alone lets connections
    /// go, lest each lets go the one that the other keeps.
    fn settle(&mut self, peer: &PeerId) {
        let Some(node) = key::node_of(peer) else { return };
        let directly = self.table.settle(&node, self.me < node);
        if let Some(directly) = directly {
            self.state.book.linked(peer, directly, Instant::now());
        }
    }

    fn established(&mut self, peer: &PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        tracing::debug!(%peer, ?endpoint, "connected");
        self.state.born.insert(id, Instant::now());
        self.state.book.dialled(peer, id);
        // What was allowed when the connection was let in may have changed since.
        let role = self.roles.of(peer).map(|(role, _)| role);
        match self.table.all().into_iter().find(|c| c.id == id) {
            Some(conn) if Some(conn.role) == role => {
                self.settle(peer);
                self.reached(&conn, endpoint);
            }
            Some(conn) => self.close(&conn, "not allowed any more"),
            None => {
                self.swarm.close_connection(id);
            }
        }
    }

    fn ended(&mut self, peer: &PeerId, id: ConnectionId, left: u32) {
        let now = Instant::now();
        let lived = self.state.born.remove(&id).map_or(Duration::ZERO, |t| now - t);
        if left == 0 {
            self.state.book.unlinked(peer, lived, now);
            self.state.relays.gone(peer);
        } else {
            self.settle(peer);
        }
    }

    // === events ===

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Peers(event)) => self.on_protocol(event),
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => {
                self.discovered(found);
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.established(&peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "connection ended");
                self.ended(&peer_id, connection_id, num_established);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), connection_id, error } => {
                tracing::debug!(%peer, %error, "dial failed");
                self.state.book.dialled(&peer, connection_id);
                if let DialError::WrongPeerId { address, .. } = &error {
                    self.state.book.wrong(&peer, address, Instant::now());
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "not let in");
            }
            // Anybody can cause one: a handshake over QUIC that fails is.
            SwarmEvent::ListenerError { error, .. } => tracing::debug!(%error, "listener"),
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                if !self.state.relays.lost(listener_id) {
                    tracing::warn!(?addresses, ?reason, "listener ended");
                }
                self.tell_addresses();
            }
            SwarmEvent::NewListenAddr { .. } => self.tell_addresses(),
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.swarm.remove_external_address(&address);
                self.tell_addresses();
            }
            _ => {}
        }
    }

    fn on_protocol(&mut self, event: ProtocolsEvent) {
        match event {
            ProtocolsEvent::Ping(ping::Event { peer, connection, result: Ok(round_trip) }) => {
                if let Some(conn) = self.find(&peer, connection) {
                    conn.measured(round_trip);
                    self.settle(&peer);
                    self.table.publish();
                }
            }
            ProtocolsEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                if let Some(conn) = self.find(&peer_id, connection_id) {
                    conn.hear();
                    self.identified(peer_id, &conn, &info);
                }
            }
            ProtocolsEvent::Dcutr(event) => tracing::debug!(?event, "direct link tried"),
            _ => {}
        }
    }

    fn identified(&mut self, peer: PeerId, conn: &Conn, info: &identify::Info) {
        let Ok(address) = conn.address.parse::<Multiaddr>() else { return };
        for address in info.listen_addrs.iter().take(32).filter(|a| !is_loopback(a)) {
            self.state.book.learn(&peer, address);
        }
        if !conn.relayed && info.protocols.contains(&relay::HOP_PROTOCOL_NAME) {
            self.state.relays.offered(peer, address, conn.dialled);
        }
    }

    fn discovered(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        let now = Instant::now();
        for (peer, address) in found {
            if !is_relayed(&address) && self.state.book.learn(&peer, &address) {
                self.state.book.want(&peer, now);
            }
        }
        let mdns = &mut self.swarm.behaviour_mut().mdns;
        if mdns.as_ref().is_some_and(|m| m.discovered_nodes().len() > DISCOVERED) {
            tracing::warn!("too many nodes on the local network: they are not looked for any more");
            *mdns = None.into();
        }
    }

    fn find(&self, peer: &PeerId, id: ConnectionId) -> Option<Arc<Conn>> {
        self.table.of(&key::node_of(peer)?).into_iter().find(|c| c.id == id)
    }
}
