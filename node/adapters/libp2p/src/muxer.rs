//! Connections that can be closed although their socket takes nothing any more, and whose streams end with them.

use futures::future::{BoxFuture, FutureExt};
use futures::io::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// How long a connection may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// A muxer that does not wait for long to close: over a cut link, with a full send buffer, it would until TCP
/// gives up, and the peer would count as connected for a quarter of an hour.
///
/// Its streams break when it is gone. Those of yamux do not by themselves: who waits for bytes, or for room to
/// write some, when the connection is closed from here would wait for ever (libp2p/rust-yamux issue 216).
pub struct Brisk<M> {
    inner: M,
    late: Option<BoxFuture<'static, ()>>,
    gone: CancellationToken,
    _gone: DropGuard,
}

impl<M: StreamMuxer> Brisk<M> {
    pub fn new(inner: M) -> Self {
        let gone = CancellationToken::new();
        Self { inner, late: None, _gone: gone.clone().drop_guard(), gone }
    }

    fn stream(&self, inner: M::Substream) -> Breaking<M::Substream> {
        let gone = || Box::pin(self.gone.clone().cancelled_owned());
        Breaking { inner, gone_reader: gone(), gone_writer: gone() }
    }
}

// === impl StreamMuxer ===

impl<M> StreamMuxer for Brisk<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
{
    type Substream = Breaking<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        Pin::new(&mut self.inner).poll_inbound(cx).map_ok(|stream| self.stream(stream))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        Pin::new(&mut self.inner).poll_outbound(cx).map_ok(|stream| self.stream(stream))
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

/// A stream that breaks when its muxer is gone.
pub struct Breaking<S> {
    inner: S,
    // Two, as two tasks may wait: one for bytes and one for room.
    gone_reader: Gone,
    gone_writer: Gone,
}

type Gone = Pin<Box<WaitForCancellationFutureOwned>>;

/// What a stream says, or that it will never say anything.
fn or_gone<T>(polled: Poll<io::Result<T>>, gone: &mut Gone, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
    if polled.is_pending() && gone.as_mut().poll(cx).is_ready() {
        return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the link was closed")));
    }
    polled
}

// === impl AsyncRead, AsyncWrite ===

impl<S: AsyncRead + Unpin> AsyncRead for Breaking<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        or_gone(polled, &mut this.gone_reader, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Breaking<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write(cx, buf);
        or_gone(polled, &mut this.gone_writer, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_flush(cx);
        or_gone(polled, &mut this.gone_writer, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_close(cx);
        or_gone(polled, &mut this.gone_writer, cx)
    }
}
