//! A process this node started, told from any other that may have its number now.

use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// The variable that tells a process this node supervises from one a person started on the same folder.
pub(crate) const MARK: &str = "IKIGAI_SUPERVISED";
/// What a note says between the decision to start a process and its number.
const STARTING: &[u8] = b"starting";
/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A process by number and by when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pid: i32,
    /// Clock ticks since the machine started.
    began: u64,
}

impl Process {
    /// The running process `pid`.
    pub fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        Some(Self { pid, began: began(pid)? })
    }

    /// Notes in `file` that one is about to be started with [`MARK`] set.
    pub fn will_start(file: &Path) -> io::Result<()> {
        crate::home::replace(file, STARTING, 0o600)
    }

    /// Those that `file` speaks of and that still run.
    pub fn noted(file: &Path, mark: &Path) -> Vec<Self> {
        match std::fs::read(file) {
            // It was started, or not, and nobody lived to note its number.
            Ok(text) if text == STARTING => marked(mark),
            Ok(text) => {
                let process: Option<Self> = serde_json::from_slice(&text).ok();
                process.filter(|p| began(p.pid) == Some(p.began)).into_iter().collect()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Notes it in `file`.
    pub fn note(&self, file: &Path) -> io::Result<()> {
        crate::home::replace(file, serde_json::to_string(self)?.as_bytes(), 0o600)
    }

    /// Ends it: asks, then insists. Does nothing when it has ended.
    pub async fn end(self) -> io::Result<()> {
        use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        let Ok(fd) = pidfd_open(pid, PidfdFlags::NONBLOCK) else { return Ok(()) };
        // From here on the descriptor means one process; only now is it known to be ours.
        if began(self.pid) != Some(self.began) {
            return Ok(());
        }
        let end = move || {
            let _ = pidfd_send_signal(&fd, Signal::TERM);
            if !ended_within(&fd, GRACE) {
                let _ = pidfd_send_signal(&fd, Signal::KILL);
                ended_within(&fd, GRACE);
            }
        };
        tokio::task::spawn_blocking(end).await.map_err(io::Error::other)
    }
}

/// Whether the process behind `fd` ends in time; the descriptor is readable from then on.
fn ended_within(fd: &OwnedFd, time: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let time = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: 0 };
    matches!(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&time)), Ok(n) if n > 0)
}

/// Running processes that were started with [`MARK`] set to `mark`.
fn marked(mark: &Path) -> Vec<Process> {
    let own = [MARK.as_bytes(), b"=", mark.as_os_str().as_bytes()].concat();
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_ours = |pid: &u32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|&b| b == 0).any(|variable| variable == own)
    };
    pids.filter(is_ours).filter_map(Process::of).collect()
}

/// Field 22 of `/proc/<pid>/stat`; `None` when it has ended, also when nobody has asked for its end yet.
fn began(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, also brackets and spaces.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (state != "Z").then(|| fields.nth(18)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_process_that_was_noted_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let mut sleep = tokio::process::Command::new("sleep");
        let mut child = sleep.arg("60").env(MARK, dir.path()).kill_on_drop(true).spawn().unwrap();
        let process = Process::of(child.id().unwrap()).unwrap();
        process.note(&file).unwrap();
        assert_eq!(Process::noted(&file, dir.path()), [process]);
        Process::will_start(&file).unwrap();
        assert_eq!(Process::noted(&file, dir.path()), [process]);
        assert_eq!(Process::noted(&file, &file), []);
        let other = Process { began: process.began + 1, ..process };
        other.end().await.unwrap();
        assert!(child.try_wait().unwrap().is_none(), "another process of the same number is left alone");
        process.end().await.unwrap();
        assert!(child.wait().await.unwrap().code().is_none(), "it was ended by a signal");
        assert_eq!(Process::noted(&file, dir.path()), []);
    }
}
