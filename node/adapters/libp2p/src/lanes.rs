//! The behaviour of our own protocols: a handler on every connection, streams in and out, frames in.

mod handler;

use crate::address::{is_relayed, without_peer};
use crate::frames::Readers;
use crate::intake::Intake;
use crate::roles::{Role, Roles};
use crate::table::{Conn, Origin, Table};
use handler::Handler;
use ikigai_ports::mesh::Lane;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure, ListenFailure};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, StreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of a caller.
    Lane(Lane),
    /// Frames, one way.
    Frames,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Lane(Lane::Control),
        Self::Lane(Lane::Logs),
        Self::Lane(Lane::Files),
        Self::Lane(Lane::Agent),
        Self::Lane(Lane::Join),
        Self::Frames,
    ];

    fn protocol(self) -> StreamProtocol {
        StreamProtocol::new(match self {
            Self::Lane(Lane::Control) => "/ikigai/control/1",
            Self::Lane(Lane::Logs) => "/ikigai/logs/1",
            Self::Lane(Lane::Files) => "/ikigai/files/1",
            Self::Lane(Lane::Agent) => "/ikigai/agent/1",
            Self::Lane(Lane::Join) => "/ikigai/join/1",
            Self::Frames => "/ikigai/frames/1",
        })
    }

    /// What the other end of a connection may open here.
    fn of_role(role: Role) -> &'static [Self] {
        match role {
            Role::Peer => &Self::ALL,
            Role::Guest => &[Self::Lane(Lane::Join)],
            Role::Host => &[],
        }
    }
}

/// Streams of our own protocols.
pub struct Lanes {
    roles: Arc<Roles>,
    table: Arc<Table>,
    intake: Arc<Intake>,
    readers: Arc<Readers>,
    /// Connections with a handler, which another behaviour may still refuse.
    made: HashMap<ConnectionId, Arc<Conn>>,
}

impl Lanes {
    pub fn new(roles: Arc<Roles>, table: Arc<Table>, intake: Arc<Intake>) -> Self {
        Self { roles, table, intake, readers: Arc::default(), made: HashMap::new() }
    }

    fn handler(
        &mut self,
        id: ConnectionId,
        peer: &PeerId,
        address: &Multiaddr,
        relayed: bool,
        dialled: bool,
    ) -> Result<Handler, ConnectionDenied> {
        let (role, node) = self.roles.of(peer).ok_or_else(|| ConnectionDenied::new("not enrolled"))?;
        let (requests, wishes) = mpsc::channel(crate::options::NEGOTIATING);
        let address = without_peer(address).to_string();
        let origin = Origin { id, node, role, address, relayed, dialled };
        let conn = Arc::new(Conn::new(origin, requests));
        self.made.insert(id, Arc::clone(&conn));
        Ok(Handler::new(conn, wishes, Arc::clone(&self.intake), Arc::clone(&self.readers)))
    }
}

// === impl NetworkBehaviour ===

impl NetworkBehaviour for Lanes {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(id, &peer, remote, is_relayed(local), false)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(id, &peer, remote, is_relayed(remote), true)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, .. }) => {
                if let Some(conn) = self.made.get(&connection_id) {
                    self.table.insert(Arc::clone(conn));
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                if let Some(conn) = self.made.remove(&connection_id) {
                    self.table.remove(&conn.node, connection_id);
                }
            }
            FromSwarm::DialFailure(DialFailure { connection_id, .. })
            | FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.made.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, never: THandlerOutEvent<Self>) {
        match never {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_has_its_protocol() {
        let names: Vec<_> = Kind::ALL.iter().map(|k| k.protocol().to_string()).collect();
        let lanes = Lane::ALL.iter().map(|l| format!("/ikigai/{}/1", l.name()));
        assert_eq!(names, lanes.chain(["/ikigai/frames/1".into()]).collect::<Vec<_>>());
    }
}
