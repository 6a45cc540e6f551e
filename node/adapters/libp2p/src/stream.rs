//! A stream as callers get it.

use crate::table::Conn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

/// A stream of a lane; counts as a sign of life of its connection whenever it brings bytes.
pub struct LaneStream {
    inner: Compat<libp2p::Stream>,
    conn: Arc<Conn>,
    /// Its place among the streams its peer may hold open here; none for those opened from here.
    _seat: Option<OwnedSemaphorePermit>,
}

impl LaneStream {
    pub fn new(inner: libp2p::Stream, conn: Arc<Conn>, seat: Option<OwnedSemaphorePermit>) -> Self {
        Self { inner: inner.compat(), conn, _seat: seat }
    }
}

// === impl AsyncRead, AsyncWrite ===

impl AsyncRead for LaneStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.conn.hear();
        }
        polled
    }
}

impl AsyncWrite for LaneStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
