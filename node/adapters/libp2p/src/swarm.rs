//! The swarm: transports, and the behaviours in the order in which they are asked.

use crate::door::Door;
use crate::forpeers::ForPeers;
use crate::lanes::Lanes;
use crate::options::{
    CONNECTIONS, CONNECTIONS_PER_PEER, HANDSHAKE, IDLE, LIVE, PENDING_IN, PENDING_OUT, PING, QUIC_CONNECTION,
    QUIC_STREAM,
};
use crate::roles::Roles;
use ikigai_ports::{PortError, PortResult};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{Swarm, SwarmBuilder, identify, noise, ping, tcp, yamux};
use std::sync::Arc;
use std::time::Duration;

/// Asked from the first to the last; who has no role is refused by the first.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub door: Door,
    pub limits: connection_limits::Behaviour,
    pub lanes: Lanes,
    pub peers: ForPeers<Protocols>,
}

/// libp2p's own protocols, spoken with enrolled nodes.
#[derive(NetworkBehaviour)]
pub struct Protocols {
    pub ping: ping::Behaviour,
    pub identify: identify::Behaviour,
}

/// The swarm of a node.
pub fn build(pair: Keypair, roles: &Arc<Roles>, door: Door, lanes: Lanes) -> PortResult<Swarm<Behaviour>> {
    let roles = Arc::clone(roles);
    let behaviour = |pair: &Keypair| Behaviour {
        door,
        limits: limits(),
        lanes,
        peers: ForPeers::new(protocols(pair), roles),
    };
    let swarm = SwarmBuilder::with_existing_identity(pair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, muxer)
        .map_err(|e| PortError::failed("prepare the handshake", e))?
        .with_quic_config(|mut quic| {
            quic.handshake_timeout = HANDSHAKE;
            quic.max_stream_data = QUIC_STREAM;
            quic.max_connection_data = QUIC_CONNECTION;
            quic.max_concurrent_stream_limit = streams();
            quic
        })
        .with_behaviour(behaviour)
        .expect("invariant: making the behaviour cannot fail")
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .with_connection_timeout(HANDSHAKE)
        .build();
    Ok(swarm)
}

/// Streams that a connection may have: those of the lanes, and some for the protocols.
fn streams() -> u32 {
    u32::try_from(LIVE * 2).expect("invariant: a small constant")
}

fn muxer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(streams() as usize);
    config
}

fn limits() -> connection_limits::Behaviour {
    connection_limits::Behaviour::new(
        ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_IN))
            .with_max_pending_outgoing(Some(PENDING_OUT))
            .with_max_established(Some(CONNECTIONS))
            .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER)),
    )
}

fn protocols(pair: &Keypair) -> Protocols {
    let ping = ping::Config::new().with_interval(PING).with_timeout(Duration::from_secs(10));
    // Neither name nor version: what a peer must know it is told on a lane.
    let identify = identify::Config::new("/ikigai/1".into(), pair.public())
        .with_agent_version("ikigai".into())
        .with_push_listen_addr_updates(true)
        .with_cache_size(0);
    Protocols { ping: ping::Behaviour::new(ping), identify: identify::Behaviour::new(identify) }
}
