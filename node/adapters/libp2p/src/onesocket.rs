//! QUIC dials from the socket that it listens on, whatever a dial says about ports.

use libp2p::Multiaddr;
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A dial of TCP takes a new port (see `driver`); here that would be a socket for each try, and a way through an
/// address translation that nobody else finds.
pub struct OneSocket<T>(pub T);

// === impl Transport ===

impl<T: Transport + Unpin> Transport for OneSocket<T> {
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = T::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<T::Error>> {
        self.0.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.0.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<T::Dial, TransportError<T::Error>> {
        self.0.dial(address, DialOpts { port_use: PortUse::Reuse, ..options })
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<T::ListenerUpgrade, T::Error>> {
        Pin::new(&mut self.0).poll(cx)
    }
}
