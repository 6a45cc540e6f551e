//! The `git` program with a clean environment, and why a call of it may give no answer.

use ikigai_ports::PortError;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

pub use call::{Answer, Call};

mod call;

/// What git reads instead of the user's and the system's settings; child processes of git read it too.
const SETTINGS: &str = "\
[core]
	hooksPath = /dev/null
	fsmonitor = false
	untrackedCache = false
	attributesFile = /dev/null
	excludesFile = /dev/null
	quotePath = false
	fsync = all
	logAllRefUpdates = false
	protectHFS = true
	protectNTFS = true
[safe]
	directory = *
[gc]
	auto = 0
[maintenance]
	auto = false
[receive]
	autogc = false
[fetch]
	recurseSubmodules = false
	writeCommitGraph = false
[submodule]
	recurse = false
[init]
	defaultBranch = main
[advice]
	detachedHead = false
[commit]
	gpgSign = false
[user]
	name = Ikigai node
	email = node@ikigai.invalid
	useConfigOnly = true
";

/// Why a call of git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program could not be started.
    #[error("cannot start {program}")]
    Spawn {
        /// What was to be started.
        program: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("{what} failed ({code}): {complaint}")]
    Exit {
        /// Program and verb.
        what: String,
        /// Its exit code; negative is a signal.
        code: i32,
        /// The end of what it printed to stderr.
        complaint: String,
    },
    /// It took too long and was ended.
    #[error("{what} did not end within {} s", after.as_secs())]
    TimedOut {
        /// Program and verb.
        what: String,
        /// The bound.
        after: Duration,
    },
    /// It printed more than allowed and was ended.
    #[error("{what} printed more than {limit} bytes")]
    TooMuch {
        /// Program and verb.
        what: String,
        /// The bound in bytes.
        limit: usize,
    },
    /// Its pipes broke.
    #[error("talking to {what}")]
    Pipe {
        /// Program and verb.
        what: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

impl GitError {
    /// What git complained about, if it ran and failed.
    pub fn complaint(&self) -> &str {
        match self {
            Self::Exit { complaint, .. } => complaint,
            _ => "",
        }
    }
}

impl From<GitError> for PortError {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Spawn { ref program, .. } if Path::new(program).ends_with("git") => {
                PortError::unavailable("git (install it: apt-get install git)", error)
            }
            other => PortError::failed("calling a program", other),
        }
    }
}

/// The `git` program with settings of its own; cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    home: PathBuf,
}

impl Git {
    /// Uses `home` (made if it is not there) for git's settings and nothing of the user's.
    ///
    /// # Errors
    /// When the folder or the settings file cannot be written.
    pub fn new(home: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(home)?;
        let file = home.join("gitconfig");
        if std::fs::read_to_string(&file).ok().as_deref() != Some(SETTINGS) {
            let fresh = home.join(format!("gitconfig.{}", std::process::id()));
            std::fs::write(&fresh, SETTINGS)?;
            std::fs::rename(&fresh, &file)?;
        }
        Ok(Self { home: home.to_owned() })
    }

    /// A call that names its repository itself (`init`, `ls-remote`).
    pub fn call(&self, verb: &str) -> Call {
        Call::new(self.clean("git"), verb)
    }

    /// A call on the bare repository at `dir`.
    pub fn bare(&self, dir: &Path, verb: &str) -> Call {
        let mut command = self.clean("git");
        command.arg("--git-dir").arg(dir);
        Call::new(command, verb)
    }

    /// A call on the repository at `dir` with its working files in `tree`, where it also runs.
    pub fn work(&self, dir: &Path, tree: &Path, verb: &str) -> Call {
        let mut command = self.clean("git");
        command.arg("--git-dir").arg(dir).arg("--work-tree").arg(tree).current_dir(tree);
        Call::new(command, verb)
    }

    /// `program` with git's clean environment, for programs that call git in turn.
    pub fn clean(&self, program: impl AsRef<OsStr>) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
        let mut command = Command::new(found(program.as_ref(), &path));
        command.env_clear().env("PATH", path);
        command.env("HOME", &self.home).env("XDG_CONFIG_HOME", &self.home).env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", self.home.join("gitconfig"));
        command.env("GIT_ATTR_NOSYSTEM", "1").env("GIT_NO_REPLACE_OBJECTS", "1");
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        command.env("GIT_ASKPASS", "/bin/false").env("SSH_ASKPASS", "/bin/false");
        command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        command.env("GIT_EDITOR", "/bin/false").env("GIT_PAGER", "cat");
        command.env("GIT_ALLOW_PROTOCOL", "file").env("GIT_LITERAL_PATHSPECS", "1");
        command.current_dir("/");
        command
    }
}

/// Where in `path` a program is. One that is to be looked for, in an environment of its own, is started by a copy of
/// the whole process, which takes longer the more memory a node has; one whose file is named is not.
fn found(program: &OsStr, path: &OsStr) -> PathBuf {
    let named = Path::new(program);
    if named.components().count() > 1 {
        return named.to_owned();
    }
    let file = std::env::split_paths(path).map(|folder| folder.join(named)).find(|file| file.is_file());
    file.unwrap_or_else(|| named.to_owned())
}
