//! Answers that stream: items put together, packs cut up, and nobody waited for without end.

use crate::service::{Messages, Served};
use crate::status::of_error;
use bytes::Bytes;
use futures::stream::{self, BoxStream, Fuse};
use futures::{FutureExt, Stream, StreamExt};
use ikigai_ports::node::Answer;
use ikigai_ports::objects::Pack;
use ikigai_ports::rpc::MAX_PIECE;
use ikigai_wire::rpc::{Item, encode_onto};
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;

/// A message of items is sent when it has this many bytes, or when no item is waiting.
const ENOUGH: usize = 32 << 10;
/// Pieces of a pack that wait for their reader.
const AHEAD: usize = 4;
/// How long a pack's reader may take none; what makes the pack is ended then.
const STALLED: Duration = Duration::from_secs(60);

/// Items, as many to a message as are there at once.
pub(crate) fn items<T: Serialize + Send + 'static>(
    items: BoxStream<'static, Answer<T>>,
    served: &Served,
) -> Messages {
    let stop = Box::pin(served.stop.clone().cancelled_owned());
    Together { items: items.fuse(), stop: Some(stop) }.boxed()
}

/// A pack in pieces. It is drawn no faster than the reader takes it.
pub(crate) fn pieces(pack: Pack, served: &Arc<Served>) -> Messages {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let stop = served.stop.clone();
    served.tasks.spawn(async move {
        tokio::select! {
            () = cut_up(pack, &sender) => {}
            () = sender.closed() => {}
            () = stop.cancelled() => {}
        }
    });
    let pieces = stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Next(piece)) => Some((piece, Some(receiver))),
            Some(Piece::End) => None,
            // Not a clean end: a reader would take that for the end of the pack.
            None => Some((Err(stopping()), None)),
        }
    });
    pieces.boxed()
}

/// `messages`, which hold `permit` as long as they last.
pub(crate) fn holding(messages: Messages, permit: Option<OwnedSemaphorePermit>) -> Messages {
    messages
        .map(move |message| {
            let _held = &permit;
            message
        })
        .boxed()
}

/// What a pack's reader gets; a pack that was given up has no end.
enum Piece {
    Next(Result<Bytes, Status>),
    End,
}

async fn cut_up(mut pack: Pack, sender: &mpsc::Sender<Piece>) {
    while let Some(part) = pack.next().await {
        let mut part = match part {
            Ok(part) => part,
            Err(error) => {
                let _ = sender.send(Piece::Next(Err(of_error(&error)))).await;
                return;
            }
        };
        while !part.is_empty() {
            let piece = Piece::Next(Ok(part.split_to(part.len().min(MAX_PIECE))));
            if !matches!(tokio::time::timeout(STALLED, sender.send(piece)).await, Ok(Ok(()))) {
                return;
            }
        }
    }
    let _ = sender.send(Piece::End).await;
}

fn stopping() -> Status {
    crate::status::busy("a node that is stopping", Duration::from_secs(1))
}

/// Items on their way into messages.
struct Together<T> {
    items: Fuse<BoxStream<'static, Answer<T>>>,
    /// Ends the stream; `None` once it did.
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<T> Unpin for Together<T> {}

impl<T: Serialize> Stream for Together<T> {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stop) = &mut self.stop else { return Poll::Ready(None) };
        if stop.poll_unpin(cx).is_ready() {
            self.stop = None;
            // Not a clean end: a reader would take that for the end of the attempt.
            return Poll::Ready(Some(Err(stopping())));
        }
        let mut message = Vec::new();
        while message.len() < ENOUGH {
            match self.items.poll_next_unpin(cx) {
                Poll::Ready(Some(item)) => encode_onto(&mut message, &Item::of(item)),
                Poll::Ready(None) if message.is_empty() => return Poll::Ready(None),
                Poll::Pending if message.is_empty() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(Ok(message.into())))
    }
}
