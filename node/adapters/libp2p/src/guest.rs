//! The way in of a node that is not enrolled yet.

use crate::address::{parse, without_peer};
use crate::door::Door;
use crate::intake::Intake;
use crate::key;
use crate::lanes::{Kind, Lanes};
use crate::opener::{Opener, away};
use crate::resolve::resolve;
use crate::roles::Roles;
use crate::stream::LaneStream;
use crate::swarm::{self, Behaviour, Extras};
use crate::table::Table;
use futures::StreamExt;
use ikigai_ports::gate::Duplex;
use ikigai_ports::mesh::Lane;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::NodeId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long getting in may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long what was written has to leave after the stream was dropped.
const LEAVE: Duration = Duration::from_secs(1);

/// A stream on [`Lane::Join`] to exactly `target`, whose `addresses` are tried all at once, with the key of
/// `seed`, for which `target` has a guest's place. Nothing notices a cut link here: put a limit on waiting.
///
/// # Errors
/// [`PortError::Unavailable`] when nobody answers within ten seconds, [`PortError::Refused`] when somebody else
/// than `target` does or `target` has no place for this key.
pub async fn dial_as_guest(
    seed: [u8; 32],
    target: NodeId,
    addresses: Vec<String>,
) -> PortResult<Box<dyn Duplex>> {
    let peer = key::peer(&target).ok_or_else(|| PortError::Refused(format!("{target} is no node's key")))?;
    let addresses: Vec<_> = addresses.iter().filter_map(|text| parse(text)).collect();
    let addresses = resolve(addresses).await;
    if addresses.is_empty() {
        return Err(PortError::Refused(
            "there is no address to dial; want one like /ip4/192.0.2.7/tcp/7421".into(),
        ));
    }
    let roles = Arc::new(Roles::host(peer, target));
    let (table, intake) = <(Arc<Table>, Arc<Intake>)>::default();
    let door = Door::new(Arc::clone(&roles), Arc::clone(&table));
    let lanes = Lanes::new(Arc::clone(&roles), Arc::clone(&table), intake);
    let swarm = swarm::build(key::pair(seed), Extras::default(), &roles, door, lanes)?;
    // Nobody listens to nudges: there is one try.
    let opener = Opener { table, nudges: mpsc::channel(1).0 };
    let done = CancellationToken::new();
    let hold = done.clone().drop_guard();
    let (linked, link) = oneshot::channel();
    tokio::spawn(turn(Call { swarm, peer, target, addresses, wrong: None }, linked, done));
    let stream = async {
        let lost = |_| away(target, "the dial ended");
        link.await.map_err(lost)??;
        let refused = |_| {
            let hint = "it may be used, withdrawn or too old; ask for a new one";
            PortError::Refused(format!("node {} did not take this invitation: {hint}", target.short()))
        };
        opener.open_now(target, Kind::Lane(Lane::Join)).await.map_err(refused)
    };
    let stream = timeout(LIMIT, stream).await.unwrap_or_else(|_| Err(away(target, "no answer in time")))?;
    Ok(Box::new(GuestStream { stream, _hold: hold }))
}

/// One dial with all that it may need.
struct Call {
    swarm: Swarm<Behaviour>,
    peer: PeerId,
    target: NodeId,
    addresses: Vec<Multiaddr>,
    /// Who answered instead.
    wrong: Option<PeerId>,
}

impl Call {
    fn dial(&mut self) -> Result<(), PortError> {
        let options = DialOpts::peer_id(self.peer)
            .condition(PeerCondition::Always)
            .addresses(self.addresses.clone())
            .allocate_new_port()
            .build();
        self.swarm.dial(options).map_err(|error| PortError::unavailable(self.name(), error))
    }

    /// Dials what is left after a dial failed.
    fn again(&mut self, error: DialError) -> Result<(), PortError> {
        if let DialError::WrongPeerId { obtained, address } = &error {
            // One wrong address ends the dial of all.
            let address = without_peer(address);
            self.wrong = Some(*obtained);
            self.addresses.retain(|a| *a != address);
            if !self.addresses.is_empty() {
                return self.dial();
            }
        }
        Err(match self.wrong {
            Some(_) => PortError::Refused(format!("another node answered for {}", self.name())),
            None => PortError::unavailable(self.name(), error),
        })
    }

    fn name(&self) -> String {
        format!("node {}", self.target.short())
    }
}

/// Dials, then turns the swarm until `done`.
async fn turn(mut call: Call, linked: oneshot::Sender<PortResult<()>>, done: CancellationToken) {
    let mut linked = Some(linked);
    let mut failed = call.dial().err();
    loop {
        if let Some(error) = failed.take() {
            // Without a caller that waits there is nobody to tell.
            let _ = linked.take().map(|linked| linked.send(Err(error)));
            return;
        }
        let event = tokio::select! {
            () = done.cancelled() => break,
            event = call.swarm.select_next_some() => event,
        };
        match event {
            SwarmEvent::ConnectionEstablished { .. } => {
                let _ = linked.take().map(|linked| linked.send(Ok(())));
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => failed = call.again(error).err(),
            SwarmEvent::ConnectionClosed { num_established: 0, .. } => return,
            _ => {}
        }
    }
    // The host ends the connection when the stream has ended for it too.
    let gone = async { while !is_over(&call.swarm.select_next_some().await) {} };
    let _ = timeout(LEAVE, gone).await;
}

fn is_over<E>(event: &SwarmEvent<E>) -> bool {
    matches!(event, SwarmEvent::ConnectionClosed { num_established: 0, .. })
}

/// A stream that keeps its swarm.
struct GuestStream {
    stream: LaneStream,
    _hold: DropGuard,
}

// === impl AsyncRead, AsyncWrite ===

impl AsyncRead for GuestStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for GuestStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
