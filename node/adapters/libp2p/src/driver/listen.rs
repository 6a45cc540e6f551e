//! Where the node listens, and what it tells of that.

use super::{Driver, MOMENT};
use crate::address::{is_dialable, is_loopback, is_relayed, without_peer};
use crate::options::REACHED;
use crate::roles::Role;
use crate::table::Conn;
use futures::StreamExt;
use ikigai_ports::{PortError, PortResult};
use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::SwarmEvent;
use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Instant;
use tokio::time::timeout;

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
                if let SwarmEvent::ListenerClosed { reason: Err(error), .. } = event {
                    return Err(PortError::failed("listen", error));
                }
            }
            Ok(())
        };
        // Without any network interface that is up there is no address yet; it is told when there is one.
        timeout(MOMENT, all).await.unwrap_or(Ok(()))?;
        self.tell_addresses();
        Ok(())
    }

    /// Takes places with relays while some are wanted.
    pub(super) fn ask_relays(&mut self, now: Instant) {
        while self.relaying
            && let Some((relay, address)) = self.state.relays.wish(now)
        {
            match self.swarm.listen_on(address) {
                Ok(listener) => self.state.relays.asked(listener, relay),
                Err(error) => tracing::debug!(%relay, %error, "no place with a relay"),
            }
        }
    }

    /// A node that a peer reached directly offers to relay: it is told what is passed on as the address of a
    /// place with it, and without one libp2p's relay takes nobody.
    pub(super) fn reached(&mut self, conn: &Conn, endpoint: &ConnectedPoint) {
        let ConnectedPoint::Listener { local_addr, .. } = endpoint else { return };
        let known = self.swarm.external_addresses().count();
        if conn.role == Role::Peer && is_dialable(local_addr) && !conn.relayed && known < REACHED {
            self.swarm.add_external_address(local_addr.clone());
        }
    }

    /// Direct ways first; those that lead to this machine alone only when there is no other.
    pub(super) fn tell_addresses(&self) {
        let all: Vec<_> = self.swarm.listeners().map(without_peer).collect();
        let remote: Vec<_> = all.iter().filter(|a| !is_loopback(a)).collect();
        let mut told = if remote.is_empty() { all.iter().collect() } else { remote };
        told.sort_by_key(|a| (is_relayed(a), a.to_string()));
        let mut told: Vec<String> = told.into_iter().map(Multiaddr::to_string).collect();
        told.dedup();
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }
}
