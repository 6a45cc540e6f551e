//! A pipe in memory that a third party can cut.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What a stream holds unread.
const WINDOW: usize = 64 << 10;

type Slot = Mutex<Option<DuplexStream>>;

/// One end of a stream.
#[derive(Debug)]
pub struct MemoryStream(Arc<Slot>);

/// Both ends, for whoever cuts.
#[derive(Debug)]
pub struct Ends(Weak<Slot>, Weak<Slot>);

/// A stream's two ends.
pub fn pair() -> (MemoryStream, MemoryStream, Ends) {
    let (a, b) = tokio::io::duplex(WINDOW);
    let (a, b) = (Arc::new(Mutex::new(Some(a))), Arc::new(Mutex::new(Some(b))));
    let ends = Ends(Arc::downgrade(&a), Arc::downgrade(&b));
    (MemoryStream(a), MemoryStream(b), ends)
}

impl Ends {
    /// Breaks both ends; who waits on one is woken by the end of the other.
    pub fn cut(&self) {
        for slot in [&self.0, &self.1] {
            if let Some(slot) = slot.upgrade() {
                slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
        }
    }

    /// Whether somebody still holds an end.
    pub fn is_open(&self) -> bool {
        self.0.strong_count() + self.1.strong_count() > 0
    }
}

impl MemoryStream {
    /// Does `act` on the stream, unless it was cut.
    fn with<T>(
        &self,
        act: impl FnOnce(Pin<&mut DuplexStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut slot: MutexGuard<'_, _> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.as_mut() {
            Some(stream) => act(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

// === impl AsyncRead, AsyncWrite ===

impl AsyncRead for MemoryStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|s| s.poll_read(cx, buf))
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|s| s.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|s| s.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|s| s.poll_shutdown(cx))
    }
}
