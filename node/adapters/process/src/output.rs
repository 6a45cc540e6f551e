//! A workload's output as lines, from the file its supervisor writes, then as it grows.

use crate::folder::Folder;
use crate::watch::{Ending, Watch};
use futures::stream::{self, BoxStream, StreamExt};
use ikigai_ports::executor::lines::LineCutter;
use ikigai_ports::{PortError, PortResult};
use std::collections::VecDeque;
use std::io;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// Everything in the folder's `stdout` and what is still added, until `supervisor` has ended: it ends only
/// when all output is in the file.
///
/// # Errors
/// When the file cannot be read or watched.
pub async fn lines(
    folder: &Folder,
    supervisor: Ending,
) -> PortResult<BoxStream<'static, PortResult<String>>> {
    let path = folder.file("stdout");
    let what = format!("reading the output of {}", folder.labels.id);
    let failed = |error: io::Error| PortError::failed(what.clone(), error);
    // Watched before it is read: what is added in between is told.
    let watch = Watch::new(&path).map_err(failed)?;
    let file = File::open(&path).await.map_err(failed)?;
    let cutter = LineCutter::default();
    let buffer = vec![0; 64 << 10];
    let reader =
        Reader { file, watch, supervisor, cutter, buffer, ready: VecDeque::new(), over: false, done: false };
    let next = move |mut reader: Reader| {
        let what = what.clone();
        async move {
            let line = reader.next().await.transpose()?;
            Some((line.map_err(|e| PortError::failed(what, e)), reader))
        }
    };
    Ok(stream::unfold(reader, next).boxed())
}

struct Reader {
    file: File,
    watch: Watch,
    supervisor: Ending,
    cutter: LineCutter,
    buffer: Vec<u8>,
    ready: VecDeque<String>,
    /// Nothing will be added any more: the next end of the file is the end.
    over: bool,
    done: bool,
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            if self.done {
                return Ok(None);
            }
            let count = self.file.read(&mut self.buffer).await.inspect_err(|_| self.done = true)?;
            if count > 0 {
                self.ready.extend(self.cutter.push(&self.buffer[..count]));
            } else if self.over {
                self.done = true;
                self.ready.extend(self.cutter.finish());
            } else {
                tokio::select! {
                    ended = self.supervisor.ended() => { ended?; self.over = true }
                    changed = self.watch.changed() => changed?,
                }
            }
        }
    }
}
