//! One program: started in a group of its own, read to its end, ended when told to, nothing of it left behind.

use crate::events::Reader;
use crate::frames::Frames;
use crate::launch::Plan;
use crate::lines::{Line, Splitter};
use crate::reaper::{Exit, Reaper, Role};
use crate::stop::Stop;
use ikigai_wire::agent::{FrameBody, Resumed};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a program may take to end after a signal before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);
/// Exit code of a program that took too long, as `timeout` says it.
pub const TOO_LONG: i32 = 124;
/// Exit code when agentd itself could not do its part, as docker says it.
pub const OWN_FAULT: i32 = 125;
/// What is read at once.
const READ: usize = 64 << 10;

/// A program that is running.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    exit: Exit,
    reaper: Reaper,
    over: watch::Sender<bool>,
    readers: Vec<JoinHandle<()>>,
    stdin: Option<JoinHandle<()>>,
    began: Arc<AtomicBool>,
}

/// Why a program could not be started, and the exit code that says so.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct NotStarted {
    /// 127 when there is no such program, 126 otherwise, as shells and docker say it.
    pub code: i32,
    /// What was tried, and why it failed.
    pub why: String,
}

impl Running {
    /// Starts the program of `plan`.
    pub fn start(plan: &Plan, reaper: &Reaper, frames: &Frames) -> Result<Self, NotStarted> {
        let program = &plan.command[0];
        let mut command = Command::new(program);
        command.args(&plan.command[1..]).envs(&plan.env).current_dir(&plan.workdir).process_group(0);
        command.stdin(if plan.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut started = reaper.spawn(&mut command, Role::Program).map_err(|e| NotStarted::new(plan, &e))?;
        let (over, is_over) = watch::channel(false);
        let mut this = Self {
            pid: started.pid,
            exit: started.exit,
            reaper: reaper.clone(),
            over,
            readers: vec![],
            stdin: None,
            began: Arc::default(),
        };
        this.wire(&mut started.child, plan, frames, &is_over).map_err(|e| {
            signal_group(this.pid, Signal::KILL);
            NotStarted { code: 126, why: format!("cannot read {program}: {e}") }
        })?;
        Ok(this)
    }

    fn wire(
        &mut self,
        child: &mut std::process::Child,
        plan: &Plan,
        frames: &Frames,
        over: &watch::Receiver<bool>,
    ) -> io::Result<()> {
        if let (Some(text), Some(stdin)) = (plan.stdin.clone(), child.stdin.take()) {
            let mut stdin = pipe::Sender::from_owned_fd(OwnedFd::from(stdin))?;
            // A program that does not read its prompt to the end says so by its own exit.
            self.stdin = Some(tokio::spawn(async move { drop(stdin.write_all(text.as_bytes()).await) }));
        }
        if let Some(out) = child.stdout.take() {
            let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(out))?;
            let mut events = Reader::new(plan.events, &plan.pointers);
            let (began, mut asked) = (self.began.clone(), plan.asked.clone());
            let frame = move |line: Line, bodies: &mut Vec<FrameBody>| {
                let learnt = if line.whole { events.learn(&line.text) } else { None };
                bodies.push(FrameBody::Out { t: line.text });
                let Some(FrameBody::Session { id }) = &learnt else { return };
                began.store(true, Ordering::Relaxed);
                // Some CLIs begin another session where they do not know the one they are asked for.
                let how = asked.take().map(|asked| if asked == *id { Resumed::Warm } else { Resumed::Cold });
                bodies.extend(learnt);
                bodies.extend(how.map(|how| FrameBody::Resumed { how }));
            };
            self.readers.push(tokio::spawn(read(pipe, frames.clone(), over.clone(), frame)));
        }
        if let Some(err) = child.stderr.take() {
            let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(err))?;
            let frame =
                |line: Line, bodies: &mut Vec<FrameBody>| bodies.push(FrameBody::Err { t: line.text });
            self.readers.push(tokio::spawn(read(pipe, frames.clone(), over.clone(), frame)));
        }
        Ok(())
    }

    /// Becomes true when the program names its session: it has begun.
    pub fn began(&self) -> Arc<AtomicBool> {
        self.began.clone()
    }

    /// Waits for the end, or makes it: at `stop`'s signal, or with [`TOO_LONG`] after `limit`. When this
    /// returns, every line the program wrote was handed to the frames and nothing it started is alive.
    pub async fn finish(mut self, stop: &mut Stop, limit: Option<Duration>) -> i32 {
        let code = tokio::select! {
            code = self.exit.code() => code,
            signal = stop.asked() => self.end(signal).await,
            () = elapsed(limit) => {
                self.end(Signal::TERM).await;
                TOO_LONG
            }
        };
        signal_group(self.pid, Signal::KILL);
        self.reaper.sweep().await;
        self.over.send_replace(true);
        for reader in self.readers {
            // A reader that panicked has said so on standard error.
            reader.await.ok();
        }
        if let Some(stdin) = self.stdin {
            stdin.abort();
        }
        code
    }

    async fn end(&mut self, with: Signal) -> i32 {
        end_group(self.pid, &mut self.exit, with).await
    }
}

impl NotStarted {
    /// It is not the program that is wrong.
    pub fn own_fault(error: impl std::error::Error) -> Self {
        Self { code: OWN_FAULT, why: error.to_string() }
    }

    fn new(plan: &Plan, error: &io::Error) -> Self {
        let program = &plan.command[0];
        if !plan.workdir.is_dir() {
            return Self {
                code: 126,
                why: format!("working directory {} does not exist", plan.workdir.display()),
            };
        }
        match error.kind() {
            ErrorKind::NotFound => Self { code: 127, why: format!("program {program} not found") },
            ErrorKind::ArgumentListTooLong => {
                let hint = "give the prompt on standard input (prompt = \"stdin\" in the adapter)";
                Self { code: 126, why: format!("the arguments of {program} are too long; {hint}") }
            }
            _ => Self { code: 126, why: format!("cannot start {program}: {error}") },
        }
    }
}

/// Sends `with` to the group of `pid`, kills it after [`GRACE`], and answers the exit code.
pub async fn end_group(pid: Pid, exit: &mut Exit, with: Signal) -> i32 {
    signal_group(pid, with);
    match timeout(GRACE, exit.code()).await {
        Ok(code) => code,
        Err(_) => {
            signal_group(pid, Signal::KILL);
            exit.code().await
        }
    }
}

/// A group that is gone needs no signal.
fn signal_group(pid: Pid, signal: Signal) {
    kill_process_group(pid, signal).ok();
}

async fn elapsed(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// Reads a pipe to its end; once the program is over, to the end of what is in it, for a process that
/// could not be killed may hold it open.
async fn read(
    mut pipe: pipe::Receiver,
    frames: Frames,
    mut over: watch::Receiver<bool>,
    mut frame: impl FnMut(Line, &mut Vec<FrameBody>),
) {
    let mut buffer = vec![0; READ];
    let mut lines = Splitter::default();
    loop {
        let mut bodies = Vec::new();
        let read = tokio::select! {
            biased;
            read = pipe.read(&mut buffer) => read,
            _ = over.wait_for(|over| *over) => rest(&pipe, &mut buffer),
        };
        let Ok(n @ 1..) = read else { break };
        lines.push(&buffer[..n], &mut |line| frame(line, &mut bodies));
        frames.say(bodies).await;
    }
    let mut bodies = Vec::new();
    lines.end(&mut |line| frame(line, &mut bodies));
    frames.say(bodies).await;
}

/// Reads what is there without waiting. Asks the kernel itself: the runtime may not have heard of it yet.
fn rest(pipe: &pipe::Receiver, buffer: &mut [u8]) -> io::Result<usize> {
    match rustix::io::read(pipe, buffer) {
        Err(rustix::io::Errno::AGAIN) => Ok(0),
        read => Ok(read?),
    }
}
