//! Reaps every child and every orphan, and tells each program's starter how it ended.

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use std::collections::HashMap;
use std::io;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// How long [`Reaper::sweep`] tries.
const SWEEP: Duration = Duration::from_secs(5);

/// The only place that waits for processes.
#[derive(Debug, Clone)]
pub struct Reaper {
    known: Arc<Mutex<HashMap<i32, Known>>>,
    reaped: Arc<Notify>,
}

#[derive(Debug)]
struct Known {
    tell: watch::Sender<Option<i32>>,
    role: Role,
}

/// What a program is to a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What it leaves behind is swept away.
    Program,
    /// It stays when a program is swept away.
    Editor,
    /// It stays as well: the shell of a person.
    Terminal,
}

/// A program that was started.
#[derive(Debug)]
pub struct Started {
    /// Its pipes; the process itself is waited for by the [`Reaper`].
    pub child: Child,
    /// Its process id, which is its group's id as well.
    pub pid: Pid,
    /// How it ended.
    pub exit: Exit,
}

/// How a program ended, once it has.
#[derive(Debug, Clone)]
pub struct Exit(watch::Receiver<Option<i32>>);

impl Exit {
    /// The exit code, 128 + n after signal n; waits for it. Cancel-safe.
    pub async fn code(&mut self) -> i32 {
        match self.0.wait_for(Option::is_some).await {
            Ok(code) => code.unwrap_or(-1),
            Err(_) => -1,
        }
    }
}

impl Reaper {
    /// Starts reaping. There may be one in a process, and nothing else there may wait for children.
    pub fn start() -> io::Result<Self> {
        let reaper = Self { known: Arc::default(), reaped: Arc::default() };
        let mut children = signal(SignalKind::child())?;
        let this = reaper.clone();
        tokio::spawn(async move {
            while children.recv().await.is_some() {
                this.reap();
            }
        });
        Ok(reaper)
    }

    /// Starts a program. Its end is told even if it comes at once: nobody reaps before it is known here.
    pub fn spawn(&self, command: &mut Command, role: Role) -> io::Result<Started> {
        let mut known = self.lock();
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let (tell, exit) = watch::channel(None);
        known.insert(pid.as_raw_nonzero().get(), Known { tell, role });
        Ok(Started { child, pid, exit: Exit(exit) })
    }

    /// Kills whatever programs left behind, and returns when it is gone: what a program made does not change
    /// any more once its end was told.
    pub async fn sweep(&self) {
        let until = Instant::now() + SWEEP;
        loop {
            let reaped = self.reaped.notified();
            let left = self.left_behind();
            if left.is_empty() || Instant::now() >= until {
                return;
            }
            for pid in left {
                // It may be gone already.
                kill_process(pid, Signal::KILL).ok();
            }
            let soon = until.min(Instant::now() + Duration::from_millis(100));
            timeout_at(soon, reaped).await.ok();
        }
    }

    /// Children of this process that are neither editor nor terminal.
    fn left_behind(&self) -> Vec<Pid> {
        let known = self.lock();
        let stays = |pid: i32| known.get(&pid).is_some_and(|k| k.role != Role::Program);
        children_of(std::process::id()).into_iter().filter(|p| !stays(*p)).filter_map(Pid::from_raw).collect()
    }

    fn reap(&self) {
        let mut known = self.lock();
        // An error here is "no child": there is nothing to reap.
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(program) = known.remove(&pid.as_raw_nonzero().get()) {
                program.tell.send_replace(Some(code_of(status)));
            }
        }
        self.reaped.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn code_of(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => -1,
    }
}

fn children_of(parent: u32) -> Vec<i32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            parent_in(&stat) == Some(parent)
        })
        .collect()
}

/// The parent in a line of `/proc/PID/stat`; the name before it is in parentheses and may hold anything.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        assert_eq!(parent_in("12 (sh) S 7 12 12 0"), Some(7));
        assert_eq!(parent_in("12 (a) S 9 (b) R 7 12"), Some(7));
        assert_eq!(parent_in("12 (sh"), None);
        assert_eq!(parent_in(""), None);
    }

    #[test]
    fn this_process_is_a_child_of_its_parent() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(children_of(std::os::unix::process::parent_id()).contains(&own));
    }
}
