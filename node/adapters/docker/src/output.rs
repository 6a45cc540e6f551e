//! A container's output as lines, from its start, each exactly once.
//!
//! Read from the engine's log file, which alone is one sequence: attaching to a running container with its
//! log replayed lost up to a quarter of the lines of a busy one (engine 20.10), following the file none.

use crate::body::OUTPUT_LIMIT;
use crate::failure;
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::stream::{self, BoxStream, StreamExt};
use ikigai_ports::executor::lines::LineCutter;
use ikigai_ports::{PortError, PortResult};
use std::collections::VecDeque;

/// The most one entry costs in the engine's log file beyond its text.
const ENTRY_COST: u64 = 128;

type Frames = BoxStream<'static, Result<LogOutput, Error>>;

/// Everything `id` wrote to stdout and what it still writes, until it ends.
///
/// When more than [`OUTPUT_LIMIT`] bytes were written the stream ends with [`PortError::Refused`]: the engine may have
/// dropped some of what follows.
pub fn lines(engine: &Docker, id: &str) -> BoxStream<'static, PortResult<String>> {
    let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(false).build();
    let frames = engine.logs(id, Some(options)).boxed();
    let reader = Reader {
        frames,
        id: id.to_owned(),
        cutter: LineCutter::default(),
        ready: VecDeque::new(),
        read: 0,
        ended: false,
    };
    stream::unfold(reader, |mut reader| async move { reader.next().await.map(|line| (line, reader)) }).boxed()
}

struct Reader {
    frames: Frames,
    id: String,
    cutter: LineCutter,
    ready: VecDeque<String>,
    read: u64,
    ended: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<PortResult<String>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            if self.ended {
                return None;
            }
            match self.frames.next().await {
                Some(Ok(LogOutput::StdOut { message })) => {
                    self.read += message.len() as u64 + ENTRY_COST;
                    self.ready.extend(self.cutter.push(&message));
                }
                // A frame that broke off: the engine went away in the middle of it.
                Some(Ok(LogOutput::Console { .. })) => return Some(self.fail(broken_off())),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let error = failure::port("reading the output of", &self.id, error);
                    return Some(self.fail(error));
                }
                None => {
                    self.ended = true;
                    self.ready.extend(self.cutter.finish());
                }
            }
            if self.read > OUTPUT_LIMIT && self.ready.is_empty() {
                let error = PortError::Refused(format!(
                    "the workload's output is over {OUTPUT_LIMIT} bytes: what follows is not kept whole"
                ));
                return Some(self.fail(error));
            }
        }
    }

    fn fail(&mut self, error: PortError) -> PortResult<String> {
        self.ended = true;
        Err(error)
    }
}

fn broken_off() -> PortError {
    let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    PortError::unavailable("the container engine", source)
}
