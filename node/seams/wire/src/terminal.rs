//! What is said on a stream to an agent's terminal: bytes with their offset, and a few words around them.
//!
//! The same messages go from agentd to the node that runs the agent, over the mesh, and to the command line or
//! the page. On a stream each is a length (4 bytes, big endian), a kind (1 byte) and a body; a WebSocket carries
//! kind and body as one binary message. A terminal's output is numbered by byte, from 0: who comes back names the
//! next byte it wants, and gets each byte once, or is told which are gone.

mod frame;

pub use frame::{Reader, Unreadable};

use serde::{Deserialize, Serialize};

/// Most bytes of one message, its length aside.
pub const MAX_MESSAGE: usize = 64 << 10;
/// Most bytes of output or input in one message.
pub const MAX_BYTES: usize = 32 << 10;
/// Most columns and rows of a terminal.
pub const MAX_SIDE: u16 = 1000;
/// Longest name a client may make up, in bytes.
pub const MAX_NAME: usize = 64;

/// Size of a terminal's window, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

impl Size {
    /// The same, at least one character and at most [`MAX_SIDE`] each way.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { cols: self.cols.clamp(1, MAX_SIDE), rows: self.rows.clamp(1, MAX_SIDE) }
    }
}

/// Whether a client wants to type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// Only to look.
    #[default]
    Look,
    /// To type, once it types, if nobody else does.
    Type,
    /// To type from now on, also if somebody else did.
    Take,
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromClient {
    /// Something around the bytes.
    Word(ClientWord),
    /// What was typed.
    Input(Vec<u8>),
}

/// What a client says beside what it types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum ClientWord {
    /// The first message of a stream.
    #[serde(rename_all = "camelCase")]
    Open {
        /// A name the client made up and keeps: one that comes back by it goes on typing.
        #[serde(default)]
        client: String,
        /// The terminal it had before, if any.
        #[serde(default)]
        terminal: Option<String>,
        /// Next byte wanted of that; without one, everything that is kept. Beyond the end: only what is new.
        #[serde(default)]
        from: Option<u64>,
        /// Size of its window.
        #[serde(default)]
        size: Size,
        /// Whether it wants to type.
        #[serde(default)]
        want: Want,
    },
    /// Its window has another size now.
    Size {
        /// The size.
        size: Size,
    },
    /// It wants to type from now on; `force`: also if somebody else does.
    Take {
        /// Also if somebody else does.
        #[serde(default)]
        force: bool,
    },
    /// It types no more; `all`: nor does whoever else did.
    HandBack {
        /// Whoever it was.
        #[serde(default)]
        all: bool,
    },
}

/// What a terminal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromTerminal {
    /// Something around the bytes.
    Word(TerminalWord),
    /// Output.
    Output {
        /// Number of the first byte.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// What a terminal says beside its output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum TerminalWord {
    /// The first message of a stream.
    Opened {
        /// Names the terminal whose bytes these are.
        terminal: String,
        /// Number of the next byte to come.
        from: u64,
        /// Number of the first byte that was not written yet: up to there, what comes is old.
        end: u64,
    },
    /// Bytes that are not kept any more.
    Gap {
        /// Number of the first.
        from: u64,
        /// Number of the first after them.
        to: u64,
    },
    /// Who types, from now on.
    Lock {
        /// Who; nobody: the agent goes on.
        #[serde(default)]
        writer: Option<String>,
        /// Whether that is this client.
        #[serde(default)]
        you: bool,
    },
    /// What was typed or asked was not taken.
    Refused {
        /// Why, in a sentence.
        text: String,
        /// What to do about it.
        #[serde(default)]
        hint: String,
        /// Whether the stream ends with this.
        #[serde(default)]
        end: bool,
    },
    /// The shell ended; the next client that opens the terminal finds a new one.
    Exited {
        /// Its exit code; 128 + n after signal n.
        code: i32,
    },
}
