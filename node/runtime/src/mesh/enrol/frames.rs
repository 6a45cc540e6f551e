//! Frames over a stream, each within its time.

use ikigai_ports::gate::Duplex;
use ikigai_ports::{Clock, PortError, PortResult};
use ikigai_wire::peer::join::{self, FrameError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long the other end has for each frame.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stream that carries frames.
pub(super) struct Frames<'a> {
    stream: Box<dyn Duplex>,
    clock: &'a dyn Clock,
}

impl<'a> Frames<'a> {
    pub(super) fn new(stream: Box<dyn Duplex>, clock: &'a dyn Clock) -> Self {
        Self { stream, clock }
    }

    pub(super) async fn send<T: Serialize>(&mut self, message: &T) -> PortResult<()> {
        let frame = join::encode(message).map_err(unreadable)?;
        let stream = &mut self.stream;
        within(self.clock, async {
            stream.write_all(&frame).await?;
            stream.flush().await
        })
        .await
    }

    pub(super) async fn receive<T: DeserializeOwned>(&mut self) -> PortResult<T> {
        let stream = &mut self.stream;
        let body = within(self.clock, async {
            let mut head = [0; 4];
            stream.read_exact(&mut head).await?;
            let length = join::length(head).map_err(std::io::Error::other)?;
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            Ok(body)
        });
        join::decode(&body.await?).map_err(unreadable)
    }

    /// Ends this side, and waits until the other end has read everything and ends too.
    pub(super) async fn end(mut self) {
        let stream = &mut self.stream;
        let ended = within(self.clock, async {
            stream.shutdown().await?;
            stream.read(&mut [0; 1]).await
        });
        // What was to be said is said.
        let _ = ended.await;
    }
}

async fn within<T>(clock: &dyn Clock, work: impl Future<Output = std::io::Result<T>>) -> PortResult<T> {
    tokio::select! {
        biased;
        done = work => done.map_err(|e| PortError::unavailable("the other node", e)),
        () = clock.sleep(PATIENCE) => {
            Err(PortError::unavailable("the other node", format!("it said nothing for {} s", PATIENCE.as_secs())))
        }
    }
}

fn unreadable(error: FrameError) -> PortError {
    PortError::failed("reading what the other node said", error)
}
