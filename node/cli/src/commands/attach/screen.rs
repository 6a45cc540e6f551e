//! With a terminal: keys go in as they are pressed, and come out as the shell answers them.

use super::detach::{KEYS, Keys};
use super::keyboard;
use super::line::{exit_code, show};
use super::session::{Happened, Session};
use crate::clean::clean;
use crate::env::Env;
use crate::run::Outcome;
use ikigai_wire::api::{Code, Problem};
use ikigai_wire::terminal::{ClientWord, FromClient, FromTerminal, Size, TerminalWord};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How long after the old output was shown the terminal's own answers to it are dropped.
const ANSWERS: Duration = Duration::from_millis(150);
/// What a program in the shell may have switched on, off again: its own screen, mouse, pasting, a hidden cursor.
const RESET: &[u8] = b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m";

/// What the person is shown beside the shell.
struct View {
    quiet: bool,
    /// Somebody types.
    held: bool,
    /// The refusal that was shown last.
    refused: Option<String>,
    /// Before this keys are no person's.
    listens_from: Option<Instant>,
}

pub(super) async fn run(mut session: Session, env: &Env) -> Outcome {
    session.size = size().unwrap_or_default();
    session.connect().await?;
    let mut view = View { quiet: env.out.quiet, held: false, refused: None, listens_from: None };
    view.say(&format!("detach with {KEYS}"));
    let raw = Raw::set()?;
    let outcome = follow(&mut session, &mut view).await;
    if matches!(outcome, Ok(None)) {
        session.say(&FromClient::Word(ClientWord::HandBack { all: false })).await;
    }
    show(RESET)?;
    drop(raw);
    match outcome? {
        Some(code) => Ok(code),
        None => {
            view.say("\ndetached; the shell goes on");
            Ok(0)
        }
    }
}

/// Until the shell ends, with its exit code, or the person detaches.
async fn follow(session: &mut Session, view: &mut View) -> Result<Option<u8>, Problem> {
    let failed = |e: std::io::Error| Problem::plain(Code::Failed, format!("cannot listen for signals: {e}"));
    let mut resized = signal(SignalKind::window_change()).map_err(failed)?;
    let (mut typed, mut keys) = (keyboard(), Keys::default());
    loop {
        tokio::select! {
            happened = session.next() => match happened? {
                Happened::Said(FromTerminal::Word(TerminalWord::Exited { code })) => {
                    return Ok(Some(exit_code(code)));
                }
                Happened::Said(message) => {
                    view.show(message)?;
                    view.listens(session);
                }
                Happened::Broke => view.say("the connection broke; trying again"),
            },
            Some(bytes) = typed.recv() => {
                let read = keys.read(&bytes);
                if !read.bytes.is_empty() && view.hears() {
                    session.say(&FromClient::Input(read.bytes)).await;
                }
                if read.detaches {
                    return Ok(None);
                }
            }
            _ = resized.recv() => if let Some(size) = size() {
                session.size = size;
                session.say(&FromClient::Word(ClientWord::Size { size })).await;
            },
        }
    }
}

impl View {
    fn show(&mut self, message: FromTerminal) -> Result<(), Problem> {
        match message {
            FromTerminal::Output { bytes, .. } => return show(&bytes),
            FromTerminal::Word(TerminalWord::Gap { from, to }) => {
                self.say(&format!("{} bytes of output are not kept any more", to - from));
            }
            FromTerminal::Word(TerminalWord::Lock { writer, you }) => {
                self.refused = None;
                let was_held = std::mem::replace(&mut self.held, writer.is_some());
                match writer {
                    Some(_) if you => self.say("you type; the agent waits"),
                    Some(writer) => self.say(&format!("locked by {writer}")),
                    None if was_held => self.say("nobody types; the agent goes on"),
                    None => {}
                }
            }
            FromTerminal::Word(TerminalWord::Refused { text, hint, .. }) => {
                // Once, and not for every key.
                if self.refused.as_ref() != Some(&text) {
                    self.say(&format!("{text}; {hint}"));
                    self.refused = Some(text);
                }
            }
            FromTerminal::Word(_) => {}
        }
        Ok(())
    }

    /// A line on stderr, where the cursor is.
    fn say(&self, text: &str) {
        if !self.quiet {
            let line = text.trim_start();
            let start = if line.len() < text.len() { "\n" } else { "" };
            // A terminal that is gone is noticed by what reads it.
            let _ = write!(std::io::stderr(), "{start}\r[ikigai] {}\r\n", clean(line));
        }
    }

    /// Whether what is typed now is a person's: programs' questions in old output are answered by the terminal
    /// itself when that is shown again, and those answers are for nobody.
    fn hears(&self) -> bool {
        self.listens_from.is_some_and(|from| Instant::now() >= from)
    }

    /// Begins to listen once old output was shown.
    fn listens(&mut self, session: &Session) {
        if self.listens_from.is_none() && session.is_caught_up() {
            let pause = if session.had_old_output() { ANSWERS } else { Duration::ZERO };
            self.listens_from = Some(Instant::now() + pause);
        }
    }
}

fn size() -> Option<Size> {
    let size = tcgetwinsize(std::io::stdout()).or_else(|_| tcgetwinsize(std::io::stdin())).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(Size { cols: size.ws_col, rows: size.ws_row })
}

/// The terminal in raw mode, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn set() -> Result<Self, Problem> {
        let failed = |e| Problem::plain(Code::Failed, format!("cannot set the terminal: {e}"));
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
