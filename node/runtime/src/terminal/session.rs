//! One client of a terminal: what it types goes in while it has the lock, what the shell writes comes out.
//!
//! Neither side is trusted. A client is one person's of an enrolled node; inside is whatever runs in the
//! workload, which may say about bytes what it likes, and nothing about the lock.

use super::desk::{Desk, Held};
use ikigai_ports::gate::Duplex;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::lock::{Locked, Turn};
use ikigai_task::reply::is_reply;
use ikigai_types::Writer;
use ikigai_wire::terminal::{
    ClientWord, FromClient, FromTerminal, MAX_NAME, Reader, Size, TerminalWord, Want,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a client has to say what it wants.
const HELLO: Duration = Duration::from_secs(10);
/// How long a client may still say something when the shell has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// What is read at once.
const READ: usize = 16 << 10;
/// Refusals that may wait for a client to read them.
const WORDS: usize = 16;

type Stream = Box<dyn Duplex>;

/// A client, once it has said what it wants.
struct Client<'a> {
    desk: &'a Arc<Desk>,
    name: String,
    writer: Writer,
    /// It wants to type at all.
    types: bool,
    size: Size,
}

/// Tells a client that there is nothing for it.
pub(super) async fn refuse(mut stream: Stream, why: &str) -> PortResult<()> {
    let hint = "see where it is with: ikigai task ls".to_owned();
    let word = TerminalWord::Refused { text: why.to_owned(), hint, end: true };
    stream.write_all(&FromTerminal::Word(word).frame()).await.map_err(broken)?;
    stream.shutdown().await.map_err(broken)
}

/// Serves a client on `outside` until it or the terminal `inside` goes.
pub(super) async fn serve(
    desk: &Arc<Desk>,
    writer: Writer,
    outside: Stream,
    inside: Stream,
) -> PortResult<()> {
    let (mut from_client, mut to_client) = split(outside);
    let (mut from_shell, mut to_shell) = split(inside);
    let mut messages = Reader::default();
    let hello = timeout(HELLO, next(&mut from_client, &mut messages)).await;
    let hello = hello.map_err(|e| PortError::unavailable("the client", e))?.map_err(broken)?;
    let Some(message) = hello else { return Ok(()) };
    let Ok(FromClient::Word(ClientWord::Open { client, terminal, from, size, want })) =
        FromClient::decode(&message)
    else {
        return Err(PortError::Refused("the client does not begin with what it wants".to_owned()));
    };
    let name: String = client.chars().take(MAX_NAME).collect();
    let present = desk.enter(&name, &writer);
    let mut client = Client { desk, name, writer, types: want != Want::Look, size };
    let open = ClientWord::Open { client: String::new(), terminal, from, size, want: Want::Look };
    to_shell.write_all(&FromClient::Word(open).frame()).await.map_err(broken)?;
    let (words, mut said) = mpsc::channel(WORDS);
    if want == Want::Take {
        client.take(true, &mut to_shell, &words).await.map_err(broken)?;
    }
    let name = client.name.clone();
    let told = tokio::select! {
        heard = client.hear(&mut from_client, &mut messages, &mut to_shell, &words) => heard.map(|()| false),
        told = tell(desk, &name, &mut from_shell, &mut to_client, &mut said) => told.map(|()| true),
    };
    if told.map_err(broken)? {
        // That the shell ended frees no lock: what runs beside it can end it. Its writer may hand back, as who goes
        // away without a word loses it soon.
        let hears = client.hear(&mut from_client, &mut messages, &mut to_shell, &words);
        timeout(LAST_WORDS, hears).await.ok();
    }
    drop(present);
    Ok(())
}

impl Client<'_> {
    async fn hear(
        &mut self,
        read: &mut ReadHalf<Stream>,
        messages: &mut Reader,
        shell: &mut WriteHalf<Stream>,
        words: &mpsc::Sender<TerminalWord>,
    ) -> io::Result<()> {
        while let Some(message) = next(read, messages).await? {
            match FromClient::decode(&message).map_err(invalid)? {
                // Only a writer's terminal answers: nobody becomes one by what its program was asked.
                FromClient::Input(bytes) if is_reply(&bytes) => {
                    if self.desk.is_typed_by(&self.name, &self.writer) {
                        shell.write_all(&FromClient::Input(bytes).frame()).await?;
                    }
                }
                FromClient::Input(bytes) => {
                    if self.take(false, shell, words).await? {
                        shell.write_all(&FromClient::Input(bytes).frame()).await?;
                    }
                }
                FromClient::Word(ClientWord::Size { size }) => {
                    self.size = size;
                    if self.desk.held(&self.name).you {
                        self.resize(shell).await?;
                    }
                }
                FromClient::Word(ClientWord::Take { force }) => {
                    self.types = true;
                    self.take(force, shell, words).await?;
                }
                FromClient::Word(ClientWord::HandBack { all }) => {
                    self.desk.hand_back((!all).then_some(&*self.name));
                }
                FromClient::Word(ClientWord::Open { .. }) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether it may type now; it is told why not.
    async fn take(
        &mut self,
        force: bool,
        shell: &mut WriteHalf<Stream>,
        words: &mpsc::Sender<TerminalWord>,
    ) -> io::Result<bool> {
        let refused =
            |text: String, hint: &str| TerminalWord::Refused { text, hint: hint.to_owned(), end: false };
        if !self.types {
            let text = "you are only looking".to_owned();
            words.try_send(refused(text, "attach without --read-only")).ok();
            return Ok(false);
        }
        let word = match self.desk.take(&self.name, &self.writer, force) {
            Ok(turn) => {
                if turn == Turn::New {
                    // From now on the window is this client's.
                    self.resize(shell).await?;
                }
                return Ok(true);
            }
            Err(Locked(who)) => {
                refused(format!("locked by {}", who.name), "take over with: ikigai attach --take")
            }
        };
        // One that does not read its refusals needs no more of them.
        words.try_send(word).ok();
        Ok(false)
    }

    async fn resize(&self, shell: &mut WriteHalf<Stream>) -> io::Result<()> {
        shell.write_all(&FromClient::Word(ClientWord::Size { size: self.size }).frame()).await
    }
}

/// Tells a client what the shell writes, what it is refused, and who types.
async fn tell(
    desk: &Desk,
    client: &str,
    shell: &mut ReadHalf<Stream>,
    write: &mut WriteHalf<Stream>,
    said: &mut mpsc::Receiver<TerminalWord>,
) -> io::Result<()> {
    let (mut messages, mut changes) = (Reader::default(), desk.changes());
    let mut known = desk.held(client);
    let mut opened = false;
    loop {
        tokio::select! {
            message = next(shell, &mut messages) => {
                let Some(message) = message? else { return Ok(()) };
                let message = FromTerminal::decode(&message).map_err(invalid)?;
                if let FromTerminal::Word(TerminalWord::Lock { .. }) = &message {
                    continue;
                }
                write.write_all(&message.frame()).await?;
                if !std::mem::replace(&mut opened, true) {
                    write.write_all(&lock(&known)).await?;
                }
            }
            Some(word) = said.recv() => write.write_all(&FromTerminal::Word(word).frame()).await?,
            _ = changes.changed() => {
                let held = desk.held(client);
                if opened && held != known {
                    write.write_all(&lock(&held)).await?;
                }
                known = held;
            }
        }
    }
}

fn lock(held: &Held) -> Vec<u8> {
    FromTerminal::Word(TerminalWord::Lock { writer: held.writer.clone(), you: held.you }).frame()
}

/// The next message, kind and body; `None` at the end of the stream. Cancel-safe.
async fn next(read: &mut (impl AsyncRead + Unpin), messages: &mut Reader) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; READ];
    loop {
        if let Some(message) = messages.message().map_err(invalid)? {
            return Ok(Some(message.to_vec()));
        }
        match read.read(&mut buffer).await? {
            0 => return Ok(None),
            n => messages.push(&buffer[..n]),
        }
    }
}

fn invalid(e: ikigai_wire::terminal::Unreadable) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

fn broken(e: io::Error) -> PortError {
    PortError::unavailable("a terminal's stream", e)
}
