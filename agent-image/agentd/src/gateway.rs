//! The gateway socket, the only way out of the container.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

/// How long the head of an answer may be.
const MAX_HEAD: u64 = 8 << 10;
/// How long the gateway may take to answer an upgrade.
const ANSWER: Duration = Duration::from_secs(10);
/// How long an upgrade tries to connect: a busy node's backlog may be full for a moment.
const BACKLOG: Duration = Duration::from_secs(1);
/// First and longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Where the gateway is. A node that was restarted makes the socket anew at the same path.
#[derive(Debug, Clone)]
pub struct Gateway {
    path: PathBuf,
}

/// A connection whose protocol was changed; what came after the answer's head is kept.
pub type Upgraded = BufReader<UnixStream>;

impl Gateway {
    /// The gateway whose socket is at `path`.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Connects, and keeps trying for `patience`, as the node may just be starting again.
    pub async fn connect(&self, patience: Duration) -> io::Result<UnixStream> {
        let until = Instant::now() + patience;
        let mut pause = Pause::default();
        loop {
            match UnixStream::connect(&self.path).await {
                Err(_) if Instant::now() + pause.next < until => pause.wait().await,
                result => return result,
            }
        }
    }

    /// Connects and changes to `protocol` at `path`.
    pub async fn upgrade(&self, path: &str, protocol: &str) -> io::Result<Upgraded> {
        let asked = async {
            let mut stream = BufReader::new(self.connect(BACKLOG).await?);
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            let status = read_head(&mut stream).await?;
            if status != 101 {
                return Err(io::Error::other(format!("the gateway answered {status} to {path}")));
            }
            Ok(stream)
        };
        timeout(ANSWER, asked).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }
}

/// Reads the head of an HTTP/1.1 answer and gives its status.
pub async fn read_head(stream: &mut Upgraded) -> io::Result<u16> {
    let mut head = stream.take(MAX_HEAD);
    let mut status = None;
    loop {
        let mut line = Vec::new();
        head.read_until(b'\n', &mut line).await?;
        if !line.ends_with(b"\n") {
            return Err(io::Error::new(ErrorKind::InvalidData, "the answer's head is cut off or too long"));
        }
        match (status, line.trim_ascii()) {
            (None, first) => status = Some(status_of(first)?),
            (Some(status), b"") => return Ok(status),
            (Some(_), _header) => {}
        }
    }
}

fn status_of(line: &[u8]) -> io::Result<u16> {
    let text = std::str::from_utf8(line).unwrap_or_default();
    let status =
        text.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)).and_then(|s| s.parse().ok());
    status.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the answer is no HTTP/1"))
}

/// The pauses between tries, each twice the one before.
#[derive(Debug)]
pub struct Pause {
    next: Duration,
}

impl Default for Pause {
    fn default() -> Self {
        Self { next: PAUSES.0 }
    }
}

impl Pause {
    /// Waits, and longer the next time.
    pub async fn wait(&mut self) {
        sleep(self.next).await;
        self.next = (self.next * 2).min(PAUSES.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Option<u16>) {
        assert_eq!(status_of(line.as_bytes()).ok(), expect, "{line:?}");
    }

    #[test]
    fn the_status_is_read_from_the_first_line() {
        check("HTTP/1.1 101 Switching Protocols", Some(101));
        check("HTTP/1.0 200", Some(200));
        check("HTTP/2 200", None);
        check("HTTP/1.1", None);
        check("SSH-2.0-OpenSSH", None);
        check("", None);
    }
}
