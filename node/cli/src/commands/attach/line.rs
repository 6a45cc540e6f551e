//! Without a terminal on stdin: what comes there is typed, and what the shell writes goes to stdout.

use super::keyboard;
use super::session::{Happened, Session};
use crate::run::Outcome;
use ikigai_wire::api::{Code, Problem};
use ikigai_wire::terminal::{ClientWord, FromClient, FromTerminal, TerminalWord};
use std::io::Write;

/// What ends the shell, with the code of its last command. Not the key for the end of input: typed while a command
/// runs, as all that is piped may be, that one is lost when the shell takes the terminal back.
const END: &[u8] = b"exit\n";

/// Shows everything, until the shell ends.
pub(super) async fn look(mut session: Session) -> Outcome {
    loop {
        match session.next().await? {
            Happened::Said(FromTerminal::Output { bytes, .. }) => show(&bytes)?,
            Happened::Said(FromTerminal::Word(TerminalWord::Exited { code })) => return Ok(exit_code(code)),
            Happened::Said(_) | Happened::Broke => {}
        }
    }
}

/// Types what comes on stdin, then ends the shell.
pub(super) async fn type_in(session: Session) -> Outcome {
    let mut typed = keyboard();
    let Some(text) = typed.recv().await else {
        let message = "there is no terminal and nothing to type on stdin";
        let hint = "run it in a terminal; or pipe commands in; or look with: ikigai attach --read-only";
        return Err(Problem::new(Code::Usage, message, hint));
    };
    let mut session = session.only_new();
    session.connect().await?;
    let (mut last, mut ended) = (text.last().copied(), false);
    session.say(&FromClient::Input(text)).await;
    loop {
        tokio::select! {
            text = typed.recv(), if last.is_some() => {
                let ends_line = last == Some(b'\n');
                last = text.as_ref().and_then(|t| t.last().copied());
                let end = || if ends_line { END.to_vec() } else { [b"\n", END].concat() };
                ended = text.is_none();
                session.say(&FromClient::Input(text.unwrap_or_else(end))).await;
            }
            happened = session.next() => match happened? {
                Happened::Said(FromTerminal::Output { bytes, .. }) => show(&bytes)?,
                Happened::Said(FromTerminal::Word(TerminalWord::Exited { code })) => {
                    // A shell that somebody else ended is no reason to let the agent go on at once.
                    if ended {
                        session.say(&FromClient::Word(ClientWord::HandBack { all: false })).await;
                    }
                    return Ok(exit_code(code));
                }
                Happened::Said(FromTerminal::Word(TerminalWord::Refused { text, hint, .. })) => {
                    return Err(Problem::new(Code::Conflict, text, hint));
                }
                Happened::Said(_) => {}
                Happened::Broke => {
                    let text = "the connection broke; some of the input may not have been typed";
                    return Err(Problem::new(Code::Unreachable, text, "see what was done: ikigai attach"));
                }
            },
        }
    }
}

pub(super) fn show(bytes: &[u8]) -> Result<(), Problem> {
    let mut out = std::io::stdout().lock();
    let shown = out.write_all(bytes).and_then(|()| out.flush());
    shown.map_err(|e| Problem::plain(Code::Failed, format!("cannot write to stdout: {e}")))
}

pub(super) fn exit_code(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(1)
}
