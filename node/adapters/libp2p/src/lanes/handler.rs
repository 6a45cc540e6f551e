//! One connection's side of our protocols.

use super::Kind;
use crate::frames::Readers;
use crate::intake::Intake;
use crate::opener::{Fault, Request};
use crate::options::{NEGOTIATING, OPEN};
use crate::roles::Role;
use crate::table::Conn;
use futures::future::{Ready, ready};
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError, SubstreamProtocol,
};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

/// Opens streams as wished, and passes on those that the other end opens.
pub struct Handler {
    conn: Arc<Conn>,
    wishes: mpsc::Receiver<Request>,
    intake: Arc<Intake>,
    readers: Arc<Readers>,
    negotiating: usize,
}

impl Handler {
    pub(super) fn new(
        conn: Arc<Conn>,
        wishes: mpsc::Receiver<Request>,
        intake: Arc<Intake>,
        readers: Arc<Readers>,
    ) -> Self {
        Self { conn, wishes, intake, readers, negotiating: 0 }
    }

    fn on_inbound(&self, stream: Stream, protocol: &StreamProtocol) {
        self.conn.hear();
        match Kind::ALL.into_iter().find(|k| k.protocol() == *protocol) {
            Some(Kind::Lane(lane)) => self.intake.stream(&self.conn, lane, stream),
            Some(Kind::Frames) => self.readers.read(&self.conn, stream, self.intake.frames(&self.conn)),
            None => {}
        }
    }
}

type Answer = oneshot::Sender<Result<Stream, Fault>>;

// === impl ConnectionHandler ===

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = OneOf;
    type OutboundProtocol = OneOf;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Answer;

    fn listen_protocol(&self) -> SubstreamProtocol<OneOf> {
        SubstreamProtocol::new(OneOf(Kind::of_role(self.conn.role)), ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.conn.role != Role::Guest && !self.conn.spare.load(Ordering::Relaxed)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<OneOf, Answer, Infallible>> {
        while self.negotiating < NEGOTIATING {
            let Poll::Ready(Some(Request { kind, answer })) = self.wishes.poll_recv(cx) else { break };
            if answer.is_closed() {
                continue;
            }
            self.negotiating += 1;
            let protocol = SubstreamProtocol::new(OneOf::only(kind), answer).with_timeout(OPEN);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, never: Infallible) {
        match never {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, OneOf, OneOf, (), Answer>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => self.on_inbound(stream, &protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, _),
                info,
            }) => {
                self.negotiating -= 1;
                self.conn.hear();
                // Who gave up waiting drops the stream, which resets it.
                let _ = info.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                self.negotiating -= 1;
                let fault = match error {
                    StreamUpgradeError::NegotiationFailed => Fault::Refused,
                    StreamUpgradeError::Timeout => Fault::Broken("no answer in time".into()),
                    StreamUpgradeError::Io(error) => Fault::Broken(error.to_string()),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                let _ = info.send(Err(fault));
            }
            _ => {}
        }
    }
}

/// Agrees on one of some kinds of stream.
#[derive(Debug, Clone, Copy)]
pub struct OneOf(&'static [Kind]);

impl OneOf {
    fn only(kind: Kind) -> Self {
        const ALL: &[Kind] = &Kind::ALL;
        let at = ALL.iter().position(|k| *k == kind).expect("invariant: ALL has every kind");
        Self(&ALL[at..=at])
    }
}

impl UpgradeInfo for OneOf {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Map<std::slice::Iter<'static, Kind>, fn(&Kind) -> StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.iter().map(|k| k.protocol())
    }
}

impl InboundUpgrade<Stream> for OneOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, agreed: StreamProtocol) -> Self::Future {
        ready(Ok((stream, agreed)))
    }
}

impl OutboundUpgrade<Stream> for OneOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, agreed: StreamProtocol) -> Self::Future {
        ready(Ok((stream, agreed)))
    }
}
