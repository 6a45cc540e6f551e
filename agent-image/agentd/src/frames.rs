//! Numbered frames on standard output: one thread writes, and whoever has more to say waits for it.

use ikigai_wire::agent::{Frame, FrameBody};
use std::io::{self, Write};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};

/// Batches that may wait for the writer; with readers that stop at 64 KiB each, this bounds memory.
const WAITING_BATCHES: usize = 8;
/// What is encoded before it is written.
const BUFFER: usize = 128 << 10;

/// Says things on standard output, in order. Cloned freely; when the last clone is gone the writer ends.
#[derive(Debug, Clone)]
pub struct Frames {
    batches: mpsc::Sender<Batch>,
    broken: watch::Receiver<bool>,
}

/// Bodies that are numbered one after the other.
#[derive(Debug)]
pub struct Batch {
    at: u64,
    bodies: Vec<FrameBody>,
}

impl Frames {
    /// Starts the writer. Its thread ends when every [`Frames`] is gone and all was written.
    pub fn start(out: impl Write + Send + 'static) -> (Self, JoinHandle<()>) {
        let (batches, waiting) = mpsc::channel(WAITING_BATCHES);
        let (broke, broken) = watch::channel(false);
        let thread = std::thread::spawn(move || write_all(out, waiting, &broke));
        (Self { batches, broken }, thread)
    }

    /// Says `bodies`, in order and with nothing between them; waits while the reader of standard output is
    /// behind. Nothing is dropped, except after the reader went away for good.
    pub async fn say(&self, bodies: Vec<FrameBody>) {
        if !bodies.is_empty() {
            // Refused only after the reader went away, which `broken` tells.
            self.batches.send(Batch { at: now_ms(), bodies }).await.ok();
        }
    }

    /// Waits until something can be said at once. Cancel-safe.
    pub async fn room(&self) -> Room<'_> {
        Room(self.batches.reserve().await.ok())
    }

    /// Says something to people.
    pub async fn note(&self, text: impl Into<String>) {
        self.say(vec![FrameBody::Note { t: text.into() }]).await;
    }

    /// Whether nobody reads standard output any more.
    pub fn is_broken(&self) -> bool {
        *self.broken.borrow()
    }

    /// Returns when nobody reads standard output any more.
    pub async fn broken(&self) {
        let mut broken = self.broken.clone();
        if broken.wait_for(|b| *b).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Room for one more batch: what is said into it comes before whatever is said later.
#[derive(Debug)]
pub struct Room<'a>(Option<mpsc::Permit<'a, Batch>>);

impl Room<'_> {
    /// Says `bodies`, at once.
    pub fn say(self, bodies: Vec<FrameBody>) {
        if let Some(permit) = self.0 {
            permit.send(Batch { at: now_ms(), bodies });
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn write_all(mut out: impl Write, mut waiting: mpsc::Receiver<Batch>, broke: &watch::Sender<bool>) {
    let mut n = 0;
    let mut buffer = Vec::with_capacity(BUFFER);
    while let Some(batch) = waiting.blocking_recv() {
        encode(batch, &mut n, &mut buffer);
        while buffer.len() < BUFFER {
            match waiting.try_recv() {
                Ok(batch) => encode(batch, &mut n, &mut buffer),
                Err(_) => break,
            }
        }
        if persist(&mut out, &buffer).is_err() {
            broke.send_replace(true);
            return;
        }
        buffer.clear();
    }
}

fn encode(batch: Batch, n: &mut u64, buffer: &mut Vec<u8>) {
    for body in batch.bodies {
        *n += 1;
        let frame = Frame { n: *n, at: batch.at, body };
        serde_json::to_writer(&mut *buffer, &frame).expect("invariant: a frame is always JSON");
        buffer.push(b'\n');
    }
}

/// Writes all of it. A full disk is waited out: the agent stands still meanwhile, which loses nothing.
fn persist(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if may_pass(e.kind()) => std::thread::sleep(Duration::from_millis(250)),
            Err(e) => return Err(e),
        }
    }
    out.flush()
}

fn may_pass(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A disk that is full at times, writes little at once and, when told, is gone.
    #[derive(Clone, Default)]
    struct Disk {
        bytes: Arc<Mutex<Vec<u8>>>,
        calls: usize,
        gone: bool,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            match self.calls {
                _ if self.gone => Err(io::ErrorKind::BrokenPipe.into()),
                1 => Err(io::ErrorKind::StorageFull.into()),
                2 => Err(io::ErrorKind::Interrupted.into()),
                _ => {
                    let n = bytes.len().min(5);
                    self.bytes.lock().unwrap().extend(&bytes[..n]);
                    Ok(n)
                }
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn block_on<T>(f: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(f)
    }

    #[test]
    fn frames_are_numbered_without_a_hole_over_a_bad_disk() {
        let disk = Disk::default();
        let (frames, thread) = Frames::start(disk.clone());
        block_on(async {
            frames.say(vec![FrameBody::Started, FrameBody::Out { t: "a\u{1b}[0m".into() }]).await;
            frames.say(vec![]).await;
            frames.note("b").await;
        });
        drop(frames);
        thread.join().unwrap();
        let bytes = disk.bytes.lock().unwrap();
        let read: Vec<Frame> = bytes
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        assert_eq!(read.iter().map(|f| f.n).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(read[1].body, FrameBody::Out { t: "a\u{1b}[0m".into() });
    }

    #[test]
    fn a_reader_that_went_away_is_told_and_blocks_nobody() {
        let (frames, thread) = Frames::start(Disk { gone: true, ..Disk::default() });
        block_on(async {
            for _ in 0..100 {
                frames.note("x").await;
            }
            frames.broken().await;
        });
        thread.join().unwrap();
    }
}
