//! A pseudo-terminal, and how a program comes to have it as its own.
//!
//! A program must make itself the leader of a session before it can have a terminal. So agentd starts itself anew
//! with [`ARGUMENT`] on the terminal's inner end; that process does it and then becomes the shell.

use crate::reaper::{Reaper, Role, Started};
use ikigai_wire::terminal::Size;
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};

/// First argument of an agentd that is to become a shell.
pub const ARGUMENT: &str = "become-shell";

/// The outer end of a pseudo-terminal, and what was started on the inner.
#[derive(Debug)]
pub struct Pty {
    /// What its programs write.
    pub output: Output,
    /// What is typed.
    pub input: Input,
    /// The first program.
    pub started: Started,
}

/// What the programs of a terminal write.
#[derive(Debug)]
pub struct Output(Receiver);

/// What is typed into a terminal, and the size of its window.
#[derive(Debug)]
pub struct Input(Sender);

impl Pty {
    /// Opens one and starts `shell` on its inner end, in the folder and with the environment of `shell`.
    pub fn start(shell: &Command, size: Size, reaper: &Reaper) -> io::Result<Self> {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&outer)?;
        unlockpt(&outer)?;
        let name = ptsname(&outer, Vec::new())?;
        let inner = open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        fcntl_setfl(&outer, OFlags::NONBLOCK)?;
        resize(&outer, size);
        // No pipe, but read, written and waited for as one.
        let output = Output(Receiver::from_owned_fd_unchecked(outer.try_clone()?)?);
        let input = Input(Sender::from_owned_fd_unchecked(outer)?);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ARGUMENT).arg(shell.get_program()).args(shell.get_args());
        command.envs(shell.get_envs().filter_map(|(k, v)| Some((k, v?))));
        if let Some(folder) = shell.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(Stdio::from(inner.try_clone()?)).stdout(Stdio::from(inner.try_clone()?)).stderr(inner);
        Ok(Self { output, input, started: reaper.spawn(&mut command, Role::Terminal)? })
    }
}

impl Output {
    /// Reads what was written; 0 when no program has the terminal any more.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer).await {
            // What Linux says once every program has closed the inner end.
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Ok(0),
            read => read,
        }
    }

    /// Reads what is there, without waiting.
    pub fn read_rest(&self, buffer: &mut [u8]) -> usize {
        rustix::io::read(&self.0, buffer).unwrap_or(0)
    }
}

impl Input {
    /// Writes all of it, as if it were typed.
    pub async fn type_in(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Gives the terminal the size of a window.
    pub fn resize(&self, size: Size) {
        resize(&self.0, size);
    }
}

/// A terminal whose programs are all gone has no size.
fn resize(outer: impl AsFd, size: Size) {
    let Size { cols, rows } = size.bounded();
    tcsetwinsize(outer, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }).ok();
}

/// Makes this process the leader of a session that has its standard input as terminal, and then the program that
/// `args` name. Answers only when that fails.
pub fn become_shell(mut args: impl Iterator<Item = OsString>) -> u8 {
    let Some(program) = args.next() else { return 2 };
    let begun = setsid().map_err(io::Error::from).and_then(|_| Ok(ioctl_tiocsctty(io::stdin())?));
    let error = match begun {
        Ok(()) => Command::new(&program).args(args).exec(),
        Err(error) => error,
    };
    eprintln!("cannot start {}: {error}", program.display());
    126
}
