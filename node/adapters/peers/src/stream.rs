//! Answers that stream, as their readers want them. Each ends with its first failure.

use crate::failure::{Failure, Why};
use crate::peers::Remote;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use ikigai_ports::PortError;
use ikigai_ports::node::Answer;
use ikigai_ports::objects::{MAX_PACK, Pack};
use ikigai_ports::rpc::Verb;
use ikigai_wire::rpc::{Item, decode_all};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::time::Duration;
use tonic::Streaming;

/// How long a peer may take for the next piece of a pack.
const STALLED: Duration = Duration::from_secs(120);

/// The items of `messages`.
pub(crate) fn items<T: DeserializeOwned + Send + 'static>(
    remote: Remote,
    verb: Verb,
    messages: Streaming<Bytes>,
) -> BoxStream<'static, Answer<T>> {
    let messages = ended_by_failure(messages, move |message| {
        let message = message.map_err(|s| remote.failure(verb, Why::Status(Box::new(s))))?;
        decode_all::<Item<T>>(&message).map_err(|e| remote.failure(verb, Why::Unreadable(e.to_string())))
    });
    let answers = messages.flat_map(|message| {
        let answers: VecDeque<Answer<T>> = match message {
            Ok(items) => items.into_iter().filter_map(Item::into_result).collect(),
            Err(failure) => VecDeque::from([Err(failure.into())]),
        };
        stream::iter(answers)
    });
    answers.boxed()
}

/// The pack whose pieces are `pieces`.
pub(crate) fn pack(remote: Remote, pieces: Streaming<Bytes>) -> Pack {
    let state = Some((remote, pieces, 0_u64));
    let pack = stream::unfold(state, |state| async {
        let (remote, mut pieces, before) = state?;
        let failed = |why| PortError::from(remote.failure(Verb::Pack, why));
        let piece = match tokio::time::timeout(STALLED, pieces.next()).await {
            Err(_) => return Some((Err(failed(Why::Late(STALLED))), None)),
            Ok(Some(Err(status))) => return Some((Err(failed(Why::Status(Box::new(status)))), None)),
            Ok(Some(Ok(piece))) => piece,
            Ok(None) => return None,
        };
        let sum = before + piece.len() as u64;
        if sum > MAX_PACK {
            let text = format!("the pack of node {} is larger than {MAX_PACK} bytes", remote.node.short());
            return Some((Err(PortError::Refused(text)), None));
        }
        Some((Ok(piece), Some((remote, pieces, sum))))
    });
    pack.boxed()
}

/// `messages` as `read`, up to and with the first that fails.
fn ended_by_failure<T>(
    messages: Streaming<Bytes>,
    read: impl Fn(Result<Bytes, tonic::Status>) -> Result<T, Failure>,
) -> impl futures::Stream<Item = Result<T, Failure>> {
    messages.map(read).scan(false, |failed, message| {
        let over = std::mem::replace(failed, message.is_err());
        std::future::ready((!over).then_some(message))
    })
}
