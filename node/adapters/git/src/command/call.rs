//! One call of a program: bounded output, bounded time, bounded memory.

use super::GitError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, kill_process_group, pidfd_open};
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// What one call may print.
const OUTPUT: usize = 64 << 20;
/// What is kept of a failed call's complaint.
const COMPLAINT: usize = 16 << 10;
/// How long one call may take.
const TIME: Duration = Duration::from_secs(300);
/// Address space of one git process: a small object that unpacks into a huge one ends here, not the node.
const MEMORY: u64 = 16 << 30;

/// One call of git, or of a program that speaks git.
#[derive(Debug)]
pub struct Call {
    command: Command,
    what: String,
    input: Option<Vec<u8>>,
    limit: usize,
    time: Duration,
    settings: u32,
}

/// What a call that ended left behind.
#[derive(Debug)]
pub struct Answer {
    /// What it printed.
    pub stdout: Vec<u8>,
    /// The end of what it complained.
    pub stderr: String,
    /// Its exit code; negative is a signal.
    pub code: i32,
    what: String,
}

impl Answer {
    /// The output of a call that went well.
    ///
    /// # Errors
    /// [`GitError::Exit`] when it did not.
    pub fn good(self) -> Result<Vec<u8>, GitError> {
        if self.code == 0 {
            Ok(self.stdout)
        } else {
            let complaint = self.complaint();
            Err(GitError::Exit { what: self.what, code: self.code, complaint })
        }
    }

    /// The end of what it complained; some programs do that on stdout.
    pub fn complaint(&self) -> String {
        if self.stderr.is_empty() {
            let from = self.stdout.len().saturating_sub(COMPLAINT);
            String::from_utf8_lossy(&self.stdout[from..]).trim().to_owned()
        } else {
            self.stderr.clone()
        }
    }
}

impl Call {
    /// A call of `command` with first argument `verb`, which names it in errors.
    pub fn new(mut command: Command, verb: &str) -> Self {
        let program = Path::new(command.as_std().get_program()).file_name().unwrap_or_default();
        let what = format!("{} {verb}", program.to_string_lossy());
        command.arg(verb);
        Self { command, what, input: None, limit: OUTPUT, time: TIME, settings: 0 }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets one of git's settings for this call and its children.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        let n = self.settings;
        self.settings += 1;
        self.command.env("GIT_CONFIG_COUNT", self.settings.to_string());
        self.command.env(format!("GIT_CONFIG_KEY_{n}"), key).env(format!("GIT_CONFIG_VALUE_{n}"), value);
        self
    }

    /// Runs it in `dir`.
    #[must_use]
    pub fn within(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it as another user of this machine.
    #[must_use]
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.command.uid(uid).gid(gid);
        self
    }

    /// Feeds it `input`.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Bounds what it may print, in bytes.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Bounds how long it may take.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Runs it; what it printed.
    ///
    /// # Errors
    /// [`GitError`] when it did not end well.
    pub async fn run(self) -> Result<Vec<u8>, GitError> {
        self.answer().await?.good()
    }

    /// Runs it; what it printed up to the bound, and whether that was not all.
    ///
    /// # Errors
    /// [`GitError`] when it did not end well before the bound.
    pub async fn run_cut(mut self) -> Result<(Vec<u8>, bool), GitError> {
        let mut running = self.spawn(Stdio::null())?;
        let what = self.what;
        let broken = |source| GitError::Pipe { what: what.clone(), source };
        let out = running.child.stdout.take();
        let read = tokio::time::timeout(self.time, read_up_to(out, self.limit + 1)).await;
        let read = read.map_err(|_| GitError::TimedOut { what: what.clone(), after: self.time })?;
        let mut read = read.map_err(broken)?;
        if read.len() > self.limit {
            read.truncate(self.limit);
            return Ok((read, true));
        }
        let (_, stderr, code) = converse(&mut running, None, 0).await.map_err(broken)?.unwrap_or_default();
        Answer { stdout: read, stderr, code, what }.good().map(|out| (out, false))
    }

    /// Runs it; what it printed as text without the last line end.
    ///
    /// # Errors
    /// [`GitError`] when it did not end well.
    pub async fn text(self) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.run().await?).trim_end_matches('\n').to_owned())
    }

    /// Runs it; whether it ended with 0 (`true`) or 1 (`false`).
    ///
    /// # Errors
    /// [`GitError`] when it ended in any other way.
    pub async fn holds(self) -> Result<bool, GitError> {
        let answer = self.answer().await?;
        match answer.code {
            0 => Ok(true),
            1 => Ok(false),
            _ => answer.good().map(|_| false),
        }
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// [`GitError`] when it could not be started, took too long or printed too much.
    pub async fn answer(mut self) -> Result<Answer, GitError> {
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut running = self.spawn(stdin)?;
        let ended =
            tokio::time::timeout(self.time, converse(&mut running, self.input.take(), self.limit)).await;
        drop(running);
        let what = self.what;
        match ended {
            Err(_) => Err(GitError::TimedOut { what, after: self.time }),
            Ok(Err(source)) => Err(GitError::Pipe { what, source }),
            Ok(Ok(None)) => Err(GitError::TooMuch { what, limit: self.limit }),
            Ok(Ok(Some((stdout, stderr, code)))) => Ok(Answer { stdout, stderr, code, what }),
        }
    }

    /// Runs both at once, the output of this one being the input of `next`; what `next` printed.
    ///
    /// # Errors
    /// [`GitError`] of the one that did not end well; of the first one when both did not.
    pub async fn pipe(mut self, mut next: Call) -> Result<Vec<u8>, GitError> {
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut first = self.spawn(stdin)?;
        let broken = |what: &str, source| GitError::Pipe { what: what.to_owned(), source };
        let out =
            first.child.stdout.take().ok_or_else(|| broken(&self.what, io::ErrorKind::BrokenPipe.into()))?;
        let joint: Stdio = out.try_into().map_err(|e| broken(&self.what, e))?;
        let mut second = next.spawn(joint)?;
        // The parent's copy of the joint lives in the command; without this the second sees no end.
        next.command.stdin(Stdio::null());
        let (time, limit) = (self.time.max(next.time), next.limit);
        let input = self.input.take();
        let both =
            async { tokio::join!(converse(&mut first, input, limit), converse(&mut second, None, limit)) };
        let timed = tokio::time::timeout(time, both).await;
        let (one, two) = timed.map_err(|_| GitError::TimedOut { what: self.what.clone(), after: time })?;
        let end = |what: String, ended: io::Result<Talk>| {
            let talk = ended.map_err(|e| broken(&what, e))?;
            let (stdout, stderr, code) = talk.ok_or(GitError::TooMuch { what: what.clone(), limit })?;
            Ok(Answer { stdout, stderr, code, what })
        };
        let second = end(next.what, two).and_then(Answer::good);
        // A first one that failed is why the second one did.
        end(self.what, one).and_then(Answer::good)?;
        second
    }

    /// Runs it with `write` filling its input from a thread of its own; what it printed.
    ///
    /// # Errors
    /// [`GitError`] when it did not end well, or [`GitError::Pipe`] with what `write` said.
    pub async fn feed<W>(mut self, write: W) -> Result<Vec<u8>, GitError>
    where
        W: FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static,
    {
        let mut running = self.spawn(Stdio::piped())?;
        let what = self.what.clone();
        let broken = |source| GitError::Pipe { what: what.clone(), source };
        let pipe = running.child.stdin.take().ok_or_else(|| broken(io::ErrorKind::BrokenPipe.into()))?;
        let pipe = std::fs::File::from(pipe.into_owned_fd().map_err(broken)?);
        rustix::fs::fcntl_setfl(&pipe, rustix::fs::OFlags::empty()).map_err(|e| broken(e.into()))?;
        let writing = tokio::task::spawn_blocking(move || {
            let mut pipe = io::BufWriter::with_capacity(1 << 16, pipe);
            write(&mut pipe).and_then(|()| io::Write::flush(&mut pipe))
        });
        let ended = tokio::time::timeout(self.time, converse(&mut running, None, self.limit)).await;
        let ended = ended.map_err(|_| GitError::TimedOut { what: self.what.clone(), after: self.time })?;
        let talk = ended.map_err(broken)?;
        let (stdout, stderr, code) =
            talk.ok_or(GitError::TooMuch { what: what.clone(), limit: self.limit })?;
        let written = writing.await.map_err(|e| broken(io::Error::other(e)))?;
        match written {
            // It ended before it had read everything: it knows why.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe && code != 0 => {}
            other => other.map_err(broken)?,
        }
        Answer { stdout, stderr, code, what: self.what }.good()
    }

    fn spawn(&mut self, stdin: Stdio) -> Result<Running, GitError> {
        self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.kill_on_drop(true).process_group(0);
        let program = self.command.as_std().get_program().to_string_lossy().into_owned();
        let child = self.command.spawn().map_err(|source| GitError::Spawn { program, source })?;
        Ok(Running::of(child))
    }
}

/// The processes of a call. Where the call is given up, they are ended, and waited for: git takes its locks
/// away when it is asked to end, and nothing of it goes on once the caller lets go of the project.
struct Running {
    child: Child,
    pid: Option<Pid>,
    leader: Option<OwnedFd>,
    /// It ended by itself: its number may be another's soon.
    ended: bool,
}

impl Running {
    fn of(child: Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let bound = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
        if let Err(error) = rustix::process::prlimit(pid, Resource::As, bound) {
            tracing::debug!(%error, "a program has no memory bound");
        }
        let leader = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { child, pid, leader, ended: false }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // An error means that there is nobody left to end.
            let _ = kill_process_group(pid, signal);
        }
    }

    fn gone_within(&self, time: Duration) -> bool {
        let Some(leader) = &self.leader else { return false };
        let time = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        matches!(poll(&mut [PollFd::new(leader, PollFlags::IN)], Some(&time)), Ok(n) if n > 0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.signal(Signal::TERM);
        // Milliseconds, as a rule; the bound is for a program that does not listen.
        self.gone_within(Duration::from_secs(2));
        self.signal(Signal::KILL);
        self.gone_within(Duration::from_secs(1));
    }
}

type Talk = Option<(Vec<u8>, String, i32)>;

/// Writes the input and reads both outputs at the same time; `None` when it printed more than `limit`.
async fn converse(running: &mut Running, input: Option<Vec<u8>>, limit: usize) -> io::Result<Talk> {
    let child = &mut running.child;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let (Some(mut pipe), Some(bytes)) = (stdin, input) {
            // A program that ends without reading all its input says why in its exit code.
            let _ = pipe.write_all(&bytes).await;
        }
        Ok::<_, io::Error>(())
    };
    let out = read_up_to(stdout, limit + 1);
    let (_, out, err) = tokio::try_join!(feed, out, read_end(stderr))?;
    if out.len() > limit {
        return Ok(None);
    }
    let status = child.wait().await?;
    running.ended = true;
    let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(1));
    Ok(Some((out, err, code)))
}

async fn read_up_to(pipe: Option<impl AsyncRead + Unpin>, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit as u64).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Reads to the end but keeps only the last bytes.
async fn read_end(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        let mut chunk = vec![0; 8 << 10];
        loop {
            let n = pipe.read(&mut chunk).await?;
            if n == 0 {
                break;
            }
            kept.extend_from_slice(&chunk[..n]);
            if kept.len() > COMPLAINT {
                kept.drain(..kept.len() - COMPLAINT);
            }
        }
    }
    Ok(String::from_utf8_lossy(&kept).trim_end().to_owned())
}
