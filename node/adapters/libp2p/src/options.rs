//! What a mesh is started with, and every bound that it keeps.

use std::time::Duration;

/// What a mesh is started with.
#[derive(Clone)]
pub struct MeshOptions {
    /// The ed25519 seed of this node's key.
    pub seed: [u8; 32],
    /// Multiaddresses to listen on; a port of 0 takes any.
    pub listen: Vec<String>,
    /// Whether enrolled nodes are looked for on the local network.
    pub mdns: bool,
    /// Whether enrolled nodes that cannot reach each other may do so through one another: through this node, and
    /// this node through others.
    pub relay: bool,
}

impl MeshOptions {
    /// The usual way: TCP and QUIC on port 7421, with discovery and relaying.
    pub fn new(seed: [u8; 32]) -> Self {
        let listen = ["/ip4/0.0.0.0/tcp/7421", "/ip4/0.0.0.0/udp/7421/quic-v1"].map(str::to_owned).into();
        Self { seed, listen, mdns: true, relay: true }
    }
}

impl std::fmt::Debug for MeshOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeshOptions")
            .field("seed", &"[redacted]")
            .field("listen", &self.listen)
            .field("mdns", &self.mdns)
            .field("relay", &self.relay)
            .finish()
    }
}

/// How long a caller of `open` waits at most.
pub(crate) const OPEN: Duration = Duration::from_secs(3);
/// How long one try of `open` waits when there is another connection to try.
pub(crate) const OPEN_ONE: Duration = Duration::from_millis(1_500);
/// A connection that nothing was heard on for so long is closed.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);
/// Time between two pings of a connection.
pub(crate) const PING: Duration = Duration::from_secs(2);
/// How long a handshake may take.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a connection that nobody needs stays.
pub(crate) const IDLE: Duration = Duration::from_secs(10);
/// How long a guest's connection lives at most.
pub(crate) const GUEST: Duration = Duration::from_secs(120);

/// Handshakes of strangers under way at once, in all.
pub(crate) const PENDING_IN: u32 = 128;
/// The same, of one address.
pub(crate) const PENDING_IN_PER_IP: usize = 16;
/// Dials under way at once.
pub(crate) const PENDING_OUT: u32 = 512;
/// Connections at once.
pub(crate) const CONNECTIONS: u32 = 2_048;
/// Connections of one peer: each side dials at most three times at once, and both may.
pub(crate) const CONNECTIONS_PER_PEER: u32 = 8;
/// Connections of guests at once, in all.
pub(crate) const GUEST_CONNECTIONS: usize = 16;
/// No connection is taken while this process holds more memory.
pub(crate) const MEMORY: u64 = 2 << 30;

/// Streams of one peer that were not accepted yet, per lane.
pub(crate) const WAITING: usize = 32;
/// Streams of all peers that were not accepted yet, per lane.
pub(crate) const WAITING_ALL: usize = 256;
/// Streams that one peer holds open here.
pub(crate) const LIVE: usize = 128;
/// The same for a guest.
pub(crate) const LIVE_GUEST: usize = 2;
/// Streams of one connection being negotiated from here at once.
pub(crate) const NEGOTIATING: usize = 32;
/// What one stream of QUIC may hold unread; [`LIVE`] of them do not fill a connection.
pub(crate) const QUIC_STREAM: u32 = 512 << 10;
/// What one connection of QUIC may hold unread.
pub(crate) const QUIC_CONNECTION: u32 = 64 << 20;

/// Frames waiting to leave for one peer.
pub(crate) const FRAMES_OUT: usize = 64;
/// Frames of one peer waiting to be received.
pub(crate) const FRAMES_IN: usize = 64;
/// Frames of all peers waiting to be received.
pub(crate) const FRAMES_IN_ALL: usize = 1_024;

/// Addresses of one peer that were told by enrolment.
pub(crate) const ADDRESSES: usize = 16;
/// Addresses of one peer that were learned from the network.
pub(crate) const LEARNED: usize = 8;
/// Addresses of this node that peers reached it at, as those who relay through it are told.
pub(crate) const REACHED: usize = 16;
