//! The swarm: transports, and the behaviours in the order in which they are asked.

use crate::door::Door;
use crate::forpeers::ForPeers;
use crate::lanes::Lanes;
use crate::muxer::Brisk;
use crate::onesocket::OneSocket;
use crate::options::{
    CONNECTIONS, CONNECTIONS_PER_PEER, HANDSHAKE, IDLE, LIVE, PENDING_IN, PENDING_OUT, PING, QUIC_CONNECTION,
    QUIC_STREAM,
};
use crate::roles::Roles;
use ikigai_ports::{PortError, PortResult};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::Transport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, Swarm, SwarmBuilder, dcutr, identify, mdns, noise, ping, quic, relay, tcp, yamux};
use std::sync::Arc;
use std::time::Duration;

/// Asked from the first to the last; who has no role is refused by the first.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub door: Door,
    pub limits: connection_limits::Behaviour,
    pub lanes: Lanes,
    pub mdns: Toggle<mdns::tokio::Behaviour>,
    pub peers: ForPeers<Protocols>,
}

/// libp2p's own protocols, spoken with enrolled nodes.
#[derive(NetworkBehaviour)]
pub struct Protocols {
    pub ping: ping::Behaviour,
    pub identify: identify::Behaviour,
    pub relay: Toggle<relay::Behaviour>,
    pub relayed: relay::client::Behaviour,
    pub dcutr: Toggle<dcutr::Behaviour>,
}

/// What may be left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extras {
    pub mdns: bool,
    pub relay: bool,
}

/// The swarm of a node.
pub fn build(
    pair: Keypair,
    extras: Extras,
    roles: &Arc<Roles>,
    door: Door,
    lanes: Lanes,
) -> PortResult<Swarm<Behaviour>> {
    let roles = Arc::clone(roles);
    let me = pair.public().to_peer_id();
    let config = mdns::Config::default();
    let mdns = extras.mdns.then(|| mdns::tokio::Behaviour::new(config, me)).transpose();
    let mdns = mdns.map_err(|e| PortError::failed("look for nodes on the local network", e))?.into();
    let behaviour = |pair: &Keypair, relayed| Behaviour {
        door,
        limits: limits(),
        lanes,
        mdns,
        peers: ForPeers::new(protocols(pair, extras.relay, relayed), roles),
    };
    let handshake = noise::Config::new(&pair).map_err(|e| PortError::failed("prepare the handshake", e))?;
    let swarm = SwarmBuilder::with_existing_identity(pair)
        .with_tokio()
        .with_other_transport(|_| {
            tcp::tokio::Transport::new(tcp::Config::default())
                .upgrade(Version::V1Lazy)
                .authenticate(handshake)
                .multiplex(muxer())
                .map(|(peer, muxer), _| (peer, Brisk::new(muxer)))
        })
        .expect("invariant: a transport that is given does not fail")
        .with_other_transport(|pair| {
            OneSocket(quic::tokio::Transport::new(quic_config(pair)))
                .map(|(peer, muxer), _| (peer, Brisk::new(muxer)))
        })
        .expect("invariant: a transport that is given does not fail")
        .with_relay_client(noise::Config::new, muxer)
        .map_err(|e| PortError::failed("prepare the handshake over relays", e))?
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

fn quic_config(pair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(pair);
    config.handshake_timeout = HANDSHAKE;
    config.max_stream_data = QUIC_STREAM;
    config.max_connection_data = QUIC_CONNECTION;
    config.max_concurrent_stream_limit = streams();
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

fn protocols(pair: &Keypair, relays: bool, relayed: relay::client::Behaviour) -> Protocols {
    let me = pair.public().to_peer_id();
    let ping = ping::Config::new().with_interval(PING).with_timeout(Duration::from_secs(10));
    // Neither name nor version: what a peer must know it is told on a lane.
    let identify = identify::Config::new("/ikigai/1".into(), pair.public())
        .with_agent_version("ikigai".into())
        .with_push_listen_addr_updates(true)
        .with_cache_size(0);
    Protocols {
        ping: ping::Behaviour::new(ping),
        identify: identify::Behaviour::new(identify),
        relay: relays.then(|| relay_for(me)).into(),
        relayed,
        dcutr: relays.then(|| dcutr::Behaviour::new(me)).into(),
    }
}

/// Carries links between enrolled nodes, which are trusted not to fill it up for no reason; a link through it is
/// as good as another until a direct one is found.
fn relay_for(me: PeerId) -> relay::Behaviour {
    let config = relay::Config {
        max_reservations: 512,
        max_reservations_per_peer: 4,
        max_circuits: 256,
        max_circuits_per_peer: 32,
        max_circuit_duration: Duration::from_secs(24 * 3_600),
        max_circuit_bytes: 0,
        reservation_rate_limiters: Vec::new(),
        circuit_src_rate_limiters: Vec::new(),
        ..relay::Config::default()
    };
    let mut behaviour = relay::Behaviour::new(me, config);
    // Said before there is a connection: by itself it would decide later, tell that to relayed connections too and
    // panic, as they have no handler of it. Who has never been reached offers this to nobody who takes it.
    behaviour.set_status(Some(relay::Status::Enable));
    behaviour
}
