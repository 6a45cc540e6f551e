//! The verbs of a peer: read what is asked, ask it, write the answer. Who asks comes from the link alone.

use crate::service::misplaced;
use crate::status::of_error;
use bytes::Bytes;
use ikigai_ports::objects::Pack;
use ikigai_ports::rpc::Verb;
use ikigai_ports::{Peer, PortError, PortResult};
use ikigai_types::NodeId;
use ikigai_wire::rpc::{Direct, Nothing, PackOf, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::Status;

/// Answers `verb`, asked by `caller`.
pub(crate) async fn answer(
    peer: &dyn Peer,
    caller: NodeId,
    verb: Verb,
    message: &[u8],
) -> Result<Bytes, Status> {
    match verb {
        Verb::Offer => written(peer.offer(caller, read(message)?).await),
        Verb::Order => {
            let Direct { fence, order } = read(message)?;
            written(peer.order(caller, fence, order).await.map(|()| Nothing {}))
        }
        Verb::Report => written(peer.report(caller, read(message)?).await),
        Verb::Append => written(peer.append(caller, read(message)?).await),
        Verb::Check => written(peer.check(caller, read(message)?).await),
        Verb::Copy => written(peer.copy(caller, read(message)?).await),
        Verb::Roster => written(peer.roster(caller, read(message)?).await),
        _ => Err(misplaced(verb)),
    }
}

/// Answers a call for git objects.
pub(crate) async fn pack(peer: &dyn Peer, caller: NodeId, message: &[u8]) -> Result<Pack, Status> {
    let PackOf { project, want, have } = read(message)?;
    peer.pack(caller, project, want, have).await.map_err(|e| of_error(&e))
}

fn read<T: DeserializeOwned>(message: &[u8]) -> Result<T, Status> {
    decode(message).map_err(|e| of_error(&PortError::Refused(e.to_string())))
}

fn written<T: Serialize>(answer: PortResult<T>) -> Result<Bytes, Status> {
    answer.map(|a| encode(&a).into()).map_err(|e| of_error(&e))
}
