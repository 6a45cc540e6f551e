//! `ikigai attach` and `ikigai task hand-back`

mod detach;
mod line;
mod screen;
mod session;

use crate::completion::tasks;
use crate::env::Env;
use crate::resolve;
use crate::run::Outcome;
use clap::Args;
use clap_complete::ArgValueCandidates;
use ikigai_wire::api::{Code, Problem};
use ikigai_wire::terminal::{ClientWord, FromClient, FromTerminal, MAX_BYTES, Size, TerminalWord, Want};
use session::Session;
use std::io::{IsTerminal, Read};
use tokio::sync::mpsc;

/// Pieces of input that wait to be sent.
const PIECES: usize = 16;

/// A shell in the workspace of a task's running agent, in this terminal
#[derive(Debug, Args)]
#[command(
    after_help = "The shell runs inside the agent's own sandbox, on whichever node that is, and goes on when you \
    detach with ctrl-p ctrl-q; what it wrote meanwhile is shown when you come back. The first key you press makes \
    you the one who types, unless somebody is: then everybody else reads only, the agent's next model call waits, \
    and so does the end of its attempt. Detaching, `ikigai task hand-back` or five minutes without a key hand \
    back to the agent. What runs in the sandbox can see what you type: enter no password there.\n\n\
    Without a terminal on stdin its lines are typed into the shell, which then ends; its exit code is this \
    command's.\n\n\
    Example:\n  ikigai attach T012\n  ikigai attach T012 --take\n  echo 'git status' | ikigai attach T012"
)]
pub(crate) struct Attach {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
    /// Type from the start, also if somebody else does
    #[arg(long)]
    take: bool,
    /// Only look
    #[arg(long, conflicts_with = "take")]
    read_only: bool,
    /// The name others see while you type; without it, your user's
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

impl Attach {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?;
        let task = resolve::task(&node, env, &self.task).await?;
        let want = match (self.take, self.read_only) {
            (true, _) => Want::Take,
            (_, true) => Want::Look,
            _ => Want::Type,
        };
        let name = self.name.unwrap_or_else(person);
        let session = Session::new(node, task.id, name, want);
        if std::io::stdin().is_terminal() {
            screen::run(session, env).await
        } else if want == Want::Look {
            line::look(session).await
        } else {
            line::type_in(session).await
        }
    }
}

/// Lets a task's agent go on, whoever types in its terminal
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ikigai task hand-back T012")]
pub(crate) struct HandBack {
    /// T012, 001-shop/T012 or a whole id
    #[arg(add = ArgValueCandidates::new(tasks))]
    task: String,
}

impl HandBack {
    pub(crate) async fn run(self, env: &Env) -> Outcome {
        let node = env.remote()?;
        let task = resolve::task(&node, env, &self.task).await?;
        let mut terminal = node.attach(&task.id, &person()).await?;
        let size = Size::default();
        let (client, from) = (String::new(), Some(u64::MAX));
        let open = ClientWord::Open { client, terminal: None, from, size, want: Want::Look };
        terminal.say(&FromClient::Word(open)).await?;
        let mut before = None;
        loop {
            match terminal.next().await? {
                Some(FromTerminal::Word(TerminalWord::Lock { writer: Some(writer), .. })) => {
                    if before.replace(writer).is_none() {
                        terminal.say(&FromClient::Word(ClientWord::HandBack { all: true })).await?;
                    }
                }
                Some(FromTerminal::Word(TerminalWord::Lock { writer: None, .. })) => break,
                Some(FromTerminal::Word(TerminalWord::Refused { text, hint, end: true })) => {
                    return Err(Problem::new(Code::Conflict, text, hint));
                }
                Some(_) => {}
                None => return Err(gone()),
            }
        }
        env.out.say(&match before {
            Some(writer) => format!("{writer} types no more in {}; its agent goes on", task.short),
            None => format!("nobody types in {}", task.short),
        });
        Ok(0)
    }
}

fn gone() -> Problem {
    Problem::new(Code::Unreachable, "the terminal went away", "run: ikigai task ls")
}

/// What comes on stdin, to its end, read by a thread of its own: nothing else can be waited for there.
fn keyboard() -> mpsc::Receiver<Vec<u8>> {
    let (sender, typed) = mpsc::channel(PIECES);
    std::thread::spawn(move || {
        let mut buffer = vec![0; MAX_BYTES];
        while let Ok(n @ 1..) = std::io::stdin().read(&mut buffer) {
            if sender.blocking_send(buffer[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    typed
}

/// Who sits here, as the machine knows them.
fn person() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let uid = || format!("uid-{}", rustix::process::getuid().as_raw());
    named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(uid)
}
