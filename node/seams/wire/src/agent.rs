//! Between a node and agentd: the launch file, the numbered frames, the adapter of an agent CLI.

pub use ikigai_types::Resumed;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Folder of the container in which the launch file and the gateway socket are, read-only.
pub const RUN_FOLDER: &str = "/run/ikigai";
/// Name of the launch file in [`RUN_FOLDER`].
pub const LAUNCH_FILE: &str = "launch.json";
/// Name of the gateway socket in [`RUN_FOLDER`].
pub const GATEWAY_SOCKET: &str = "gateway.sock";
/// Loopback port in the container that leads through the gateway socket.
pub const GATEWAY_PORT: u16 = 7419;
/// Folder of the container that keeps an agent CLI's sessions beyond the container.
pub const SESSION_FOLDER: &str = "/session";

/// What agentd does, read once from `/run/ikigai/launch.json`. Never holds a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program.
    pub program: Program,
    /// Working directory.
    pub workdir: String,
    /// Environment added to agentd's own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Seconds to stay after the program ended, so that a person can look around in the editor.
    #[serde(default)]
    pub linger_secs: u64,
}

/// What runs under agentd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[allow(clippy::large_enum_variant, reason = "a workload has one")]
pub enum Program {
    /// A coding agent's CLI.
    Agent {
        /// How to drive it.
        adapter: Adapter,
        /// What it is to do.
        prompt: String,
        /// Model name for the CLI.
        model: String,
        /// Session to go on with, if the adapter can resume.
        #[serde(default)]
        session: Option<String>,
        /// What it is to do when it goes on with that session; `prompt` is what it is told when it begins anew.
        #[serde(default)]
        resume_prompt: String,
        /// The adapter's `sessions`, where what the CLI writes there is kept in [`SESSION_FOLDER`].
        #[serde(default)]
        sessions: Option<String>,
    },
    /// Check commands, one after the other, each in `bash -c`; all run, also after one failed.
    Checks {
        /// The commands.
        commands: Vec<String>,
        /// Seconds each may take.
        timeout_secs: u64,
    },
}

/// How an agent CLI is driven: the parsed form of an adapter's TOML file.
///
/// In `command`, `resume`, `env` and file contents `{prompt}`, `{model}`, `{session}`, `{gateway}` (the base
/// URL `http://127.0.0.1:7419/v1`) and `{home}` are replaced; nothing is ever passed through a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// `codex`, `command`, …
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// How the prompt goes in.
    #[serde(default)]
    pub prompt: PromptMode,
    /// How its output is read.
    #[serde(default)]
    pub events: EventFormat,
    /// JSON pointers into its event lines; only used with `json-lines`.
    #[serde(default)]
    pub pointers: Pointers,
    /// Program and arguments that go on with `{session}`; absent when it cannot.
    #[serde(default)]
    pub resume: Option<Vec<String>>,
    /// Folder in which it keeps its sessions (may begin with `{home}`); what is there is kept for `resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<String>,
    /// Environment it needs.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files written before it starts: path (may begin with `{home}`) → content.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// How the prompt reaches the CLI.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptMode {
    /// Where `{prompt}` stands in the command.
    #[default]
    Argument,
    /// On standard input, which is then closed.
    Stdin,
}

/// How the CLI's standard output is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventFormat {
    /// Plain lines.
    #[default]
    Lines,
    /// One JSON object a line; lines that are not JSON are plain.
    JsonLines,
}

/// Where in a JSON line things are, as RFC 6901 pointers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pointers {
    /// Session id.
    pub session: Option<String>,
    /// Texts a person would want to read, in order of preference.
    pub text: Vec<String>,
}

/// One line of agentd's standard output: numbered from 1 within the workload, in order, without a hole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Number.
    pub n: u64,
    /// Milliseconds since 1970, by the container's clock.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub body: FrameBody,
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "kebab-case")]
pub enum FrameBody {
    /// The program wrote a line to standard output.
    Out {
        /// The line, without its newline, at most 64 KiB, invalid UTF-8 replaced.
        t: String,
    },
    /// The program wrote a line to standard error.
    Err {
        /// The line.
        t: String,
    },
    /// agentd says something to people.
    Note {
        /// The text.
        t: String,
    },
    /// The program was started.
    Started,
    /// The CLI named its session.
    Session {
        /// The session id.
        id: String,
    },
    /// The CLI of an attempt that was given a session to go on with has begun.
    Resumed {
        /// With that session, or anew.
        how: Resumed,
    },
    /// A check ended.
    Checked {
        /// The command.
        command: String,
        /// Its exit code; 124 when it took too long.
        code: i32,
        /// How long it took.
        ms: u64,
    },
    /// The program ended; agentd may linger after this.
    Ended {
        /// Exit code; 128 + n after signal n.
        code: i32,
        /// What it was that could not be done, when the program never started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}
