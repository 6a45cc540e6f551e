//! A terminal that comes back: each byte of its output once, over as many connections as it takes.

use super::gone;
use ikigai_remote::{RemoteNode, Terminal};
use ikigai_types::TaskId;
use ikigai_wire::api::{Code, Problem};
use ikigai_wire::terminal::{ClientWord, FromClient, FromTerminal, Size, TerminalWord, Want};
use ring::rand::{SecureRandom, SystemRandom};
use std::time::{Duration, Instant};

/// How long a terminal that went away is tried to be reached again.
const PATIENCE: Duration = Duration::from_secs(120);
/// First and longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// A terminal of a task's agent.
pub(super) struct Session {
    node: RemoteNode,
    task: TaskId,
    person: String,
    pub(super) want: Want,
    pub(super) size: Size,
    /// Made up here; whoever comes back by it goes on typing.
    client: String,
    /// The terminal that was there, and its next byte.
    terminal: Option<String>,
    next: Option<u64>,
    /// Up to here output was there before this session.
    old: u64,
    open: Option<Terminal>,
}

/// What happened to it.
#[derive(Debug)]
pub(super) enum Happened {
    /// The terminal says something, or is there again, which its first word says.
    Said(FromTerminal),
    /// The connection broke; the next call tries to have another.
    Broke,
}

impl Session {
    pub(super) fn new(node: RemoteNode, task: TaskId, person: String, want: Want) -> Self {
        let mut bytes = [0; 8];
        SystemRandom::new().fill(&mut bytes).expect("invariant: the kernel gives random bytes");
        let client = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let (size, terminal, next, old, open) = (Size::default(), None, None, 0, None);
        Self { node, task, person, want, size, client, terminal, next, old, open }
    }

    /// Leaves out what was written before.
    pub(super) fn only_new(mut self) -> Self {
        self.next = Some(u64::MAX);
        self
    }

    /// Whether everything that was there before this session was read.
    pub(super) fn is_caught_up(&self) -> bool {
        self.terminal.is_some() && self.next.is_some_and(|n| n >= self.old)
    }

    pub(super) fn had_old_output(&self) -> bool {
        self.old > 0
    }

    /// Opens it, or opens it again.
    ///
    /// # Errors
    /// What the node says, once it has been tried for long enough.
    pub(super) async fn connect(&mut self) -> Result<(), Problem> {
        let (began, mut pause) = (Instant::now(), PAUSES.0);
        loop {
            let comes_back = self.terminal.is_some();
            match self.try_connect().await {
                Ok(()) => return Ok(()),
                Err(p) if comes_back && p.code == Code::Unreachable && began.elapsed() < PATIENCE => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                Err(p) => return Err(p),
            }
        }
    }

    async fn try_connect(&mut self) -> Result<(), Problem> {
        let mut terminal = self.node.attach(&self.task, &self.person).await?;
        let open = ClientWord::Open {
            client: self.client.clone(),
            terminal: self.terminal.clone(),
            from: self.next,
            size: self.size,
            // Taken once: somebody may have taken over meanwhile.
            want: if self.terminal.is_some() && self.want == Want::Take { Want::Type } else { self.want },
        };
        terminal.say(&FromClient::Word(open)).await?;
        self.open = Some(terminal);
        Ok(())
    }

    /// Types something. What is typed while the connection is broken is not.
    pub(super) async fn say(&mut self, message: &FromClient) {
        if let Some(terminal) = &mut self.open
            && terminal.say(message).await.is_err()
        {
            self.open = None;
        }
    }

    /// What happens next. Cancel-safe, but while it connects again.
    ///
    /// # Errors
    /// When the terminal is gone for good.
    pub(super) async fn next(&mut self) -> Result<Happened, Problem> {
        let Some(terminal) = &mut self.open else {
            self.connect().await?;
            return Box::pin(self.next()).await;
        };
        match terminal.next().await {
            Ok(Some(FromTerminal::Word(TerminalWord::Refused { text, hint, end: true }))) => {
                // Its node is there and the agent is not, or it is not yet there again.
                Err(Problem::new(Code::Conflict, text, hint))
            }
            Ok(Some(message)) => {
                self.note(&message)?;
                Ok(Happened::Said(message))
            }
            Ok(None) | Err(Problem { code: Code::Unreachable, .. }) if self.terminal.is_some() => {
                self.open = None;
                Ok(Happened::Broke)
            }
            Ok(None) => Err(gone()),
            Err(problem) => Err(problem),
        }
    }

    /// Keeps count, so that it can go on from the same byte.
    fn note(&mut self, message: &FromTerminal) -> Result<(), Problem> {
        match message {
            FromTerminal::Word(TerminalWord::Opened { terminal, from, end }) => {
                if self.terminal.as_ref() != Some(terminal) {
                    self.old = *end;
                }
                (self.terminal, self.next) = (Some(terminal.clone()), Some(*from));
            }
            FromTerminal::Word(TerminalWord::Gap { to, .. }) => self.next = Some(*to),
            FromTerminal::Output { offset, bytes } => {
                if self.next != Some(*offset) {
                    let text = "the terminal's output does not fit together";
                    return Err(Problem::new(Code::Failed, text, "attach again"));
                }
                self.next = Some(offset + bytes.len() as u64);
            }
            FromTerminal::Word(_) => {}
        }
        Ok(())
    }
}
