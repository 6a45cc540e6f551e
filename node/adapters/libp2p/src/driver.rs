//! The task that turns the swarm: dials who is due, closes what is silent, tells what came and went.

use crate::book::{self, Book};
use crate::opener::Nudge;
use crate::options::{GUEST, SILENCE};
use crate::roles::{Role, Roles};
use crate::swarm::{Behaviour, BehaviourEvent, ProtocolsEvent};
use crate::table::{Conn, Table};
use crate::{key, options};
use futures::StreamExt;
use ikigai_ports::mesh::Allowed;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::NodeId;
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How long listeners may take to have an address, and connections to end.
const MOMENT: Duration = Duration::from_secs(2);

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
    pub book: Book,
    /// When each connection was made.
    pub born: HashMap<ConnectionId, Instant>,
}

impl Driver {
    /// Listens; returns when each listener has its addresses.
    pub async fn listen(&mut self, texts: &[String]) -> PortResult<()> {
        let mut waiting: HashSet<ListenerId> = HashSet::new();
        for text in texts {
            let address: Multiaddr =
                text.parse().map_err(|e| PortError::Refused(format!("listen address {text}: {e}")))?;
            let id = self.swarm.listen_on(address);
            waiting.insert(id.map_err(|e| PortError::failed(format!("listen on {text}"), e))?);
        }
        let all = async {
            while !waiting.is_empty() {
                let event = self.swarm.select_next_some().await;
                if let SwarmEvent::NewListenAddr { listener_id, .. } = &event {
                    waiting.remove(listener_id);
                }
                if let SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. } = event {
                    return Err(PortError::failed(format!("listen with {listener_id:?}"), error));
                }
            }
            Ok(())
        };
        // Without any network interface that is up there is no address yet; it is told when there is one.
        timeout(MOMENT, all).await.unwrap_or(Ok(()))?;
        self.tell_addresses();
        Ok(())
    }

    /// Until told to stop.
    pub async fn run(mut self) {
        loop {
            let now = Instant::now();
            self.dial(now);
            let silent = self.close_silent(now);
            let due = self.book.next_due();
            let next = silent.into_iter().chain(due).min().unwrap_or(now + Duration::from_secs(3_600));
            tokio::select! {
                () = self.stop.cancelled() => break,
                Ok(()) = self.allowed.changed() => self.allow(),
                Some(nudge) = self.nudges.recv() => self.nudged(&nudge),
                event = self.swarm.select_next_some() => self.on_event(event),
                () = sleep_until(next.into()) => {}
            }
        }
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
        self.book.set(self.me, &allowed.peers, Instant::now());
        for conn in self.table.all() {
            let now = key::peer(&conn.node).and_then(|peer| self.roles.of(&peer));
            if now.map(|(role, _)| role) != Some(conn.role) {
                self.swarm.close_connection(conn.id);
            } else if let Some(peer) = key::peer(&conn.node) {
                self.book.linked(&peer);
            }
        }
    }

    fn nudged(&mut self, nudge: &Nudge) {
        match nudge {
            Nudge::Dial(node) => {
                if let Some(peer) = key::peer(node) {
                    self.book.want(&peer, Instant::now());
                }
            }
            Nudge::Suspect(id) => {
                let conn = self.table.all().into_iter().find(|c| c.id == *id);
                if let Some(conn) = conn.filter(|c| c.heard().elapsed() >= options::PING) {
                    self.close(&conn, "no answer");
                }
            }
        }
    }

    fn dial(&mut self, now: Instant) {
        for (peer, addresses) in self.book.take_due(now) {
            // A port of its own: one that is shared with the listener would hit what the other end may still
            // hold of a connection that was cut.
            let options = DialOpts::peer_id(peer)
                .condition(PeerCondition::Disconnected)
                .addresses(addresses)
                .allocate_new_port()
                .build();
            let id = options.connection_id();
            match self.swarm.dial(options) {
                Ok(()) => self.book.dialling(&peer, id),
                Err(error) => tracing::debug!(%peer, %error, "not dialled"),
            }
        }
    }

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

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let now = Instant::now();
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Peers(event)) => self.on_protocol(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.established(&peer_id, connection_id, &endpoint, now);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, cause, .. } => {
                let lived = self.born.remove(&connection_id).map_or(Duration::ZERO, |t| now - t);
                tracing::debug!(peer = %peer_id, ?lived, ?cause, "connection ended");
                if num_established == 0 {
                    self.book.unlinked(&peer_id, lived, now);
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), connection_id, error } => {
                tracing::debug!(%peer, %error, "dial failed");
                self.book.dialled(&peer, connection_id);
                if let DialError::WrongPeerId { address, .. } = &error {
                    self.book.unlearn(&peer, address);
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "not let in");
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listener"),
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::warn!(?addresses, ?reason, "listener ended");
                self.tell_addresses();
            }
            SwarmEvent::NewListenAddr { .. } | SwarmEvent::ExpiredListenAddr { .. } => self.tell_addresses(),
            _ => {}
        }
    }

    fn established(&mut self, peer: &PeerId, id: ConnectionId, endpoint: &ConnectedPoint, now: Instant) {
        tracing::debug!(%peer, ?endpoint, "connected");
        self.born.insert(id, now);
        self.book.dialled(peer, id);
        self.book.linked(peer);
        // What was allowed when the connection was let in may have changed since.
        let role = self.roles.of(peer).map(|(role, _)| role);
        let conn = self.table.all().into_iter().find(|c| c.id == id);
        if conn.is_none_or(|c| Some(c.role) != role) {
            self.swarm.close_connection(id);
        }
    }

    fn on_protocol(&mut self, event: ProtocolsEvent) {
        match event {
            ProtocolsEvent::Ping(ping::Event { peer, connection, result: Ok(round_trip) }) => {
                if let Some(conn) = self.find(&peer, connection) {
                    conn.measured(round_trip);
                    self.table.publish();
                }
            }
            ProtocolsEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                if let Some(conn) = self.find(&peer_id, connection_id) {
                    conn.hear();
                    self.learn(&peer_id, &conn, &info.listen_addrs);
                }
            }
            _ => {}
        }
    }

    fn learn(&mut self, peer: &PeerId, conn: &Conn, addresses: &[Multiaddr]) {
        let local = conn.address.parse().is_ok_and(|a| is_loopback(&a));
        for address in addresses.iter().take(32).filter(|a| local || !is_loopback(a)) {
            self.book.learn(peer, address);
        }
    }

    fn find(&self, peer: &PeerId, id: ConnectionId) -> Option<Arc<Conn>> {
        self.table.of(&key::node_of(peer)?).into_iter().find(|c| c.id == id)
    }

    fn tell_addresses(&self) {
        let all: Vec<_> = self.swarm.listeners().map(book::without_peer).collect();
        let remote: Vec<_> = all.iter().filter(|a| !is_loopback(a)).collect();
        let told = if remote.is_empty() { all.iter().collect() } else { remote };
        let mut told: Vec<String> = told.into_iter().map(Multiaddr::to_string).collect();
        told.sort();
        told.dedup();
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }
}

fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}
