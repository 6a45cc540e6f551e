//! The terminal: a shell in the workspace, started when somebody opens it first. What it writes is numbered and
//! kept, so that whoever comes, goes and comes back gets every byte once.
//!
//! Who may type is the node's to decide: of its clients here, each may.

use crate::frames::Frames;
use crate::program::end_group;
use crate::pty::{Input, Output, Pty};
use crate::reaper::{Exit, Reaper};
use crate::scrollback::{Piece, Scrollback};
use ikigai_wire::terminal::{ClientWord, FromClient, FromTerminal, MAX_BYTES, Reader, Size, TerminalWord};
use rustix::process::{Pid, Signal};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// How long a client has to say what it wants.
const HELLO: Duration = Duration::from_secs(10);
/// What is read of the shell at once.
const READ: usize = 16 << 10;
/// Messages of input that may wait for the shell to read; a client then waits as well.
const INPUT: usize = 64;
/// Clients at once.
const CLIENTS: usize = 64;

/// How the shell is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Home folder.
    pub home: PathBuf,
    /// The folder it begins in.
    pub workdir: PathBuf,
    /// Environment on top of agentd's own.
    pub env: BTreeMap<String, String>,
}

/// The terminal of this workload. Cloned freely.
#[derive(Debug, Clone)]
pub struct Terminal {
    setup: Arc<Setup>,
    reaper: Reaper,
    frames: Frames,
    state: Arc<Mutex<State>>,
    /// Changes with the state.
    changed: Arc<watch::Sender<u64>>,
    clients: Arc<watch::Sender<usize>>,
    /// Names it, so that a number of another workload's terminal is not taken for one of this.
    name: Arc<str>,
}

#[derive(Debug, Default)]
struct State {
    written: Scrollback,
    shell: Option<Shell>,
    /// Shells that ended, and how the last did.
    exits: u64,
    code: i32,
}

#[derive(Debug, Clone)]
struct Shell {
    pid: Pid,
    exit: Exit,
    typed: mpsc::Sender<Typed>,
}

/// What a client does to the shell, in order.
#[derive(Debug)]
enum Typed {
    Bytes(Vec<u8>),
    Size(Size),
}

/// Where a client is.
struct Place {
    next: u64,
    exits: u64,
}

impl Terminal {
    /// A terminal that nobody has opened yet.
    pub fn new(setup: Setup, reaper: Reaper, frames: Frames) -> Self {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            setup: Arc::new(setup),
            reaper,
            frames,
            state: Arc::default(),
            changed: Arc::new(watch::channel(0).0),
            clients: Arc::new(watch::channel(0).0),
            name: format!("{:x}", began.as_nanos()).into(),
        }
    }

    /// Serves one client until it goes.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Some(_counted) = Counted::one(&self.clients) else { return };
        // However it went away, the shell goes on.
        self.attend(stream).await.ok();
    }

    /// Returns when nobody has it open, and nobody opened it again within `grace`.
    pub async fn closed(&self, grace: Duration) {
        let mut clients = self.clients.subscribe();
        loop {
            // It cannot fail: this terminal holds the sender.
            clients.wait_for(|n| *n == 0).await.ok();
            if timeout(grace, clients.wait_for(|n| *n > 0)).await.is_err() {
                return;
            }
        }
    }

    /// Ends the shell now.
    pub async fn end(&self) {
        let shell = self.state().shell.take();
        if let Some(mut shell) = shell {
            end_group(shell.pid, &mut shell.exit, Signal::KILL).await;
        }
    }

    async fn attend(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let (mut read, mut write) = tokio::io::split(stream);
        let mut messages = Reader::default();
        let hello = timeout(HELLO, next(&mut read, &mut messages)).await.map_err(io::Error::from)?;
        let Some(FromClient::Word(ClientWord::Open { terminal, from, size, .. })) = hello? else {
            return Ok(());
        };
        let shell = match self.shell(size) {
            Ok(shell) => shell,
            Err(error) => {
                let text = format!("no shell can be started: {error}");
                let hint = "look into the workspace with: ikigai open".to_owned();
                let word = TerminalWord::Refused { text, hint, end: true };
                return write.write_all(&FromTerminal::Word(word).frame()).await;
            }
        };
        let place = self.place(terminal.as_deref(), from);
        let opened =
            TerminalWord::Opened { terminal: self.name.to_string(), from: place.next, end: self.end_of() };
        write.write_all(&FromTerminal::Word(opened).frame()).await?;
        tokio::select! {
            sent = self.tell(place, &mut write) => sent,
            heard = hear(&mut read, &mut messages, &shell) => heard,
        }
    }

    /// Where a client goes on that wants byte `from` of `terminal`.
    fn place(&self, terminal: Option<&str>, from: Option<u64>) -> Place {
        let state = self.state();
        let same = terminal.is_none_or(|t| t == &*self.name);
        let next = from.filter(|_| same).unwrap_or(0).min(state.written.end());
        Place { next, exits: state.exits }
    }

    fn end_of(&self) -> u64 {
        self.state().written.end()
    }

    /// Tells a client everything from its place on, until the shell it came for has ended.
    async fn tell(&self, mut at: Place, write: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let (piece, exits, code) = {
                let state = self.state();
                (state.written.from(at.next, MAX_BYTES), state.exits, state.code)
            };
            let message = match piece {
                Piece::Bytes(bytes) => {
                    let offset = at.next;
                    at.next += bytes.len() as u64;
                    FromTerminal::Output { offset, bytes }
                }
                Piece::Gap(to) => {
                    let from = std::mem::replace(&mut at.next, to);
                    FromTerminal::Word(TerminalWord::Gap { from, to })
                }
                Piece::End if exits > at.exits => {
                    let word = FromTerminal::Word(TerminalWord::Exited { code });
                    return write.write_all(&word.frame()).await;
                }
                Piece::End => {
                    // It cannot fail: this terminal holds the sender.
                    changed.changed().await.ok();
                    continue;
                }
            };
            write.write_all(&message.frame()).await?;
        }
    }

    /// The shell that runs, or a new one.
    fn shell(&self, size: Size) -> io::Result<Shell> {
        let mut state = self.state();
        if let Some(shell) = &state.shell {
            return Ok(shell.clone());
        }
        let Setup { home, workdir, env } = &*self.setup;
        let mut command = Command::new("bash");
        command.arg("-i").envs(env).env("HOME", home).env("TERM", "xterm-256color").current_dir(workdir);
        let Pty { output, input, started } = Pty::start(&command, size, &self.reaper)?;
        let (sender, typed) = mpsc::channel(INPUT);
        let shell = Shell { pid: started.pid, exit: started.exit, typed: sender };
        state.shell = Some(shell.clone());
        tokio::spawn(type_in(input, typed));
        tokio::spawn(self.clone().keep(output, shell.exit.clone()));
        Ok(shell)
    }

    /// Keeps what the shell writes, to its end.
    async fn keep(self, mut output: Output, mut exit: Exit) {
        self.frames.note("a terminal was opened").await;
        let mut buffer = vec![0; READ];
        let code = loop {
            tokio::select! {
                read = output.read(&mut buffer) => match read {
                    Ok(n @ 1..) => self.wrote(&buffer[..n]),
                    _ => break exit.code().await,
                },
                code = exit.code() => {
                    while let n @ 1.. = output.read_rest(&mut buffer) {
                        self.wrote(&buffer[..n]);
                    }
                    break code;
                }
            }
        };
        {
            let mut state = self.state();
            state.shell = None;
            state.exits += 1;
            state.code = code;
        }
        self.changed.send_modify(|n| *n += 1);
        self.frames.note(format!("the terminal's shell ended with {code}")).await;
    }

    fn wrote(&self, bytes: &[u8]) {
        self.state().written.push(bytes);
        self.changed.send_modify(|n| *n += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next message of a client; `None` at the end of the stream.
async fn next(read: &mut (impl AsyncRead + Unpin), messages: &mut Reader) -> io::Result<Option<FromClient>> {
    let wrong = |e| io::Error::new(io::ErrorKind::InvalidData, e);
    let mut buffer = [0; 4096];
    loop {
        if let Some(message) = messages.message().map_err(wrong)? {
            return FromClient::decode(message).map(Some).map_err(wrong);
        }
        match read.read(&mut buffer).await? {
            0 => return Ok(None),
            n => messages.push(&buffer[..n]),
        }
    }
}

/// Takes what a client types, until it goes.
async fn hear(read: &mut (impl AsyncRead + Unpin), messages: &mut Reader, shell: &Shell) -> io::Result<()> {
    while let Some(message) = next(read, messages).await? {
        match message {
            // Refused only when the shell ended, which the client is being told.
            FromClient::Input(bytes) => drop(shell.typed.send(Typed::Bytes(bytes)).await),
            FromClient::Word(ClientWord::Size { size }) => drop(shell.typed.send(Typed::Size(size)).await),
            FromClient::Word(_) => {}
        }
    }
    Ok(())
}

/// Types what comes, as fast as the shell takes it.
async fn type_in(mut input: Input, mut typed: mpsc::Receiver<Typed>) {
    while let Some(typed) = typed.recv().await {
        match typed {
            Typed::Size(size) => input.resize(size),
            Typed::Bytes(bytes) => {
                if input.type_in(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// One of the clients that are there.
#[derive(Debug)]
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
    fn one(clients: &Arc<watch::Sender<usize>>) -> Option<Self> {
        let counted = clients.send_if_modified(|n| {
            let room = *n < CLIENTS;
            *n += usize::from(room);
            room
        });
        counted.then(|| Self(clients.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}
