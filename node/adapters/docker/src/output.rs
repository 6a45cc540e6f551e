//! A container's output as lines, from its start, each exactly once.
//!
//! Read from the engine's log file, which alone is one sequence: attaching to a busy container with its log
//! replayed loses lines in between. Following the file loses none, but may end early without a word (both
//! seen with engine 20.10). So an end is believed only when the container had ended before the reading began;
//! else it is read again and what was delivered already is passed over.

use crate::body::OUTPUT_LIMIT;
use crate::{end, failure};
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::{InspectContainerOptions, LogsOptionsBuilder};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use ikigai_ports::executor::Phase;
use ikigai_ports::executor::lines::LineCutter;
use ikigai_ports::{PortError, PortResult};
use std::collections::VecDeque;
use std::time::Duration;

/// The most one entry costs in the engine's log file beyond its text.
const ENTRY_COST: u64 = 128;

/// The piece in which an engine keeps what is longer.
const PIECE: usize = 16 << 10;

/// Readings in a row that may end early and bring nothing new, and the pause before each.
const BARREN: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// Everything `id` wrote to stdout and what it still writes, until it ends.
///
/// When more than [`OUTPUT_LIMIT`] bytes were written the stream ends with [`PortError::Refused`]: the engine
/// may have dropped some of what follows. When it goes away the stream ends with [`PortError::Unavailable`].
pub fn lines(engine: &Docker, id: &str) -> BoxStream<'static, PortResult<String>> {
    let reader = Reader {
        frames: open(engine, id, Part::Follow),
        engine: engine.clone(),
        id: id.to_owned(),
        cutter: LineCutter::default(),
        ready: VecDeque::new(),
        delivered: 0,
        last: Bytes::new(),
        stored: 0,
        skip: 0,
        barren: 0,
        after_end: false,
        done: false,
    };
    stream::unfold(reader, |mut reader| async move { reader.next().await.map(|line| (line, reader)) }).boxed()
}

type Frames = BoxStream<'static, Result<LogOutput, Error>>;

fn open(engine: &Docker, id: &str, part: Part) -> Frames {
    let (follow, tail) = match part {
        Part::Follow => (true, "all"),
        Part::Whole => (false, "all"),
        Part::Last => (false, "1"),
    };
    let options = LogsOptionsBuilder::default().follow(follow).tail(tail).stdout(true).stderr(false);
    engine.logs(id, Some(options.timestamps(true).build())).boxed()
}

/// What of the engine's file is read.
enum Part {
    /// Everything, and what comes.
    Follow,
    /// Everything there is.
    Whole,
    /// The last entry, whatever stream it is of: nothing when it is of another.
    Last,
}

struct Reader {
    engine: Docker,
    id: String,
    frames: Frames,
    cutter: LineCutter,
    ready: VecDeque<String>,
    /// Entries taken so far: each frame is one entry of the engine's file.
    delivered: u64,
    /// The last of them, with its time.
    last: Bytes,
    /// The most bytes they fill in it.
    stored: u64,
    /// Entries of this reading that were taken in an earlier one.
    skip: u64,
    barren: u32,
    /// Whether the container had ended when this reading began.
    after_end: bool,
    done: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<PortResult<String>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            if self.done {
                return None;
            }
            if let Err(error) = self.read().await {
                self.done = true;
                return Some(Err(error));
            }
        }
    }

    async fn read(&mut self) -> PortResult<()> {
        if self.stored > OUTPUT_LIMIT {
            return Err(PortError::Refused(format!(
                "the workload's output is over {OUTPUT_LIMIT} bytes: what follows is not kept whole"
            )));
        }
        match self.frames.next().await {
            Some(Ok(LogOutput::StdOut { message })) => self.take(message),
            // A frame that broke off: the engine went away in the middle of it.
            Some(Ok(LogOutput::Console { .. })) => return Err(broken_off()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(failure::port("reading the output of", &self.id, error)),
            None => return self.ended().await,
        }
        Ok(())
    }

    fn take(&mut self, frame: Bytes) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        let piece = without_time(&frame);
        self.delivered += 1;
        self.stored += piece.len() as u64 + ENTRY_COST;
        self.barren = 0;
        self.ready.extend(self.cutter.push(piece));
        if ends_line(piece) {
            self.ready.extend(self.cutter.push(b"\n"));
        }
        self.last = frame;
    }

    /// A reading ended: the output has ended too, or it is read again.
    async fn ended(&mut self) -> PortResult<()> {
        if self.after_end {
            if self.skip > 0 {
                return Err(PortError::Corrupt(format!("the engine's log of {}", self.id)));
            }
            self.finish();
            return Ok(());
        }
        if self.barren >= BARREN {
            return Err(broken_off());
        }
        if self.barren > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let found = self.engine.inspect_container(&self.id, None::<InspectContainerOptions>).await;
        let found = found.map_err(|e| failure::port("looking at", &self.id, e))?;
        self.after_end = found.state.is_none_or(|state| end::phase(&state) == Phase::Ended);
        if self.after_end && self.has_the_last().await {
            self.finish();
            return Ok(());
        }
        self.skip = self.delivered;
        self.barren += 1;
        self.frames = open(&self.engine, &self.id, if self.after_end { Part::Whole } else { Part::Follow });
        Ok(())
    }

    /// True if the last entry in the engine's file was taken, which the time in it tells, unless it is a piece
    /// in the middle of a line: those of one line may look alike.
    async fn has_the_last(&mut self) -> bool {
        let mut last = open(&self.engine, &self.id, Part::Last);
        let same = matches!(last.next().await, Some(Ok(entry)) if entry.as_ref() == self.last);
        let piece = without_time(&self.last);
        same && (piece.last() == Some(&b'\n') || ends_line(piece))
    }

    fn finish(&mut self) {
        self.done = true;
        self.ready.extend(self.cutter.finish());
    }
}

/// An entry without the time before it, which is asked for only because the engine passes over an empty last
/// piece that has none.
fn without_time(frame: &[u8]) -> &[u8] {
    let end = frame.iter().position(|b| *b == b' ').map_or(0, |at| at + 1);
    &frame[end..]
}

/// True if `piece` is the last of a line although it does not say so.
///
/// The engine keeps a long line in pieces of [`PIECE`] bytes and a shorter last one, and the `local` driver of
/// 20.10 forgets the newline after that.
fn ends_line(piece: &[u8]) -> bool {
    piece.len() < PIECE && piece.last() != Some(&b'\n')
}

fn broken_off() -> PortError {
    let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    PortError::unavailable("the container engine", source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_short_piece_without_newline_ends_a_line_silently() {
        assert!(ends_line(b"last piece") && ends_line(b""));
        assert!(!ends_line(b"whole line\n") && !ends_line(b"\n"));
        assert!(!ends_line(&[b'x'; PIECE]), "a full piece goes on");
        assert_eq!(without_time(b"2026-11-21T10:54:37.789250620Z a b\n"), b"a b\n");
        assert_eq!(without_time(b"2026-11-21T10:54:37.789250620Z "), b"");
    }
}
