//! Connections that can be closed although their socket takes nothing any more.

use futures::future::{BoxFuture, FutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a connection may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// A muxer that does not wait for long to close: over a cut link, with a full send buffer, it would until TCP
/// gives up, and the peer would count as connected for a quarter of an hour.
pub struct Brisk<M> {
    inner: M,
    late: Option<BoxFuture<'static, ()>>,
}

impl<M> Brisk<M> {
    pub fn new(inner: M) -> Self {
        Self { inner, late: None }
    }
}

// === impl StreamMuxer ===

impl<M: StreamMuxer + Unpin> StreamMuxer for Brisk<M> {
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<M::Substream, M::Error>> {
        Pin::new(&mut self.inner).poll_inbound(cx)
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<M::Substream, M::Error>> {
        Pin::new(&mut self.inner).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        if let Poll::Ready(closed) = Pin::new(&mut self.inner).poll_close(cx) {
            return Poll::Ready(closed);
        }
        let late = self.late.get_or_insert_with(|| tokio::time::sleep(GOODBYE).boxed());
        late.poll_unpin(cx).map(Ok)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}
