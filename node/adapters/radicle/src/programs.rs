//! Radicle's programs, and what a node says about how to run them.

use crate::home::Home;
use ikigai_git::{Call, Git};
use ikigai_ports::{PortError, PortResult};
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one call of a program may take.
const TIME: Duration = Duration::from_secs(120);

/// How a node's Radicle part runs.
#[derive(Clone)]
pub struct RadicleOptions {
    /// Folder with `rad`, `radicle-node` and `git-remote-rad`; the PATH when absent.
    pub bin: Option<PathBuf>,
    /// The node's own `RAD_HOME`.
    pub home: PathBuf,
    /// The name others see.
    pub alias: String,
    /// Where the Radicle node listens; port 0 is any free one.
    pub listen: SocketAddr,
    /// Radicle nodes to connect to, as `<nid>@<host>:<port>`.
    pub connect: Vec<String>,
    /// The node's own key: its Radicle identity.
    pub seed: [u8; 32],
    /// The folder of the node's workspaces, which has the bare copies of its projects.
    pub workspaces: PathBuf,
}

impl fmt::Debug for RadicleOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RadicleOptions")
            .field("home", &self.home)
            .field("listen", &self.listen)
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

/// The programs, found, with the environment they run in.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    git: Git,
    home: Home,
}

impl Programs {
    /// Finds them in `bin` or on the PATH.
    pub fn find(bin: Option<&Path>, git: Git, home: Home) -> PortResult<Self> {
        let has = |folder: &PathBuf| {
            ["rad", "radicle-node", "git-remote-rad"].iter().all(|p| folder.join(p).is_file())
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = match bin {
            Some(folder) => Some(folder.to_owned()).filter(has),
            None => std::env::split_paths(&path).find(has),
        };
        let folder = found.ok_or_else(|| {
            let place = bin.map_or("on the PATH".to_owned(), |b| format!("in {}", b.display()));
            PortError::Refused(format!(
                "rad, radicle-node and git-remote-rad are not {place}: install Radicle, or set \
                 backend = \"git\" under [forge] to work without it"
            ))
        })?;
        Ok(Self { folder, git, home })
    }

    /// A call of `rad` that neither waits for the running node nor asks it for anything.
    pub fn rad(&self, verb: &str) -> Call {
        let call = Call::new(self.git.clean(self.folder.join("rad")), verb);
        self.surround(call).env("RAD_SOCKET", self.home.path().join("ikigai/no.sock")).time(TIME)
    }

    /// A call of `rad` that talks to the running node.
    pub fn rad_online(&self, verb: &str) -> Call {
        self.surround(Call::new(self.git.clean(self.folder.join("rad")), verb)).time(TIME)
    }

    /// A push or fetch of git through `git-remote-rad`.
    pub fn git(&self, bare: &Path, verb: &str) -> Call {
        let call = self.surround(self.git.bare(bare, verb)).env("GIT_ALLOW_PROTOCOL", "file:rad");
        call.env("RAD_SOCKET", self.home.path().join("ikigai/no.sock")).time(TIME)
    }

    /// The node program, to be supervised.
    pub fn node(&self) -> tokio::process::Command {
        let mut command = self.git.clean(self.folder.join("radicle-node"));
        command.env("PATH", self.path()).env("RAD_HOME", self.home.path()).env("RAD_PASSPHRASE", "");
        command.env(crate::process::MARK, self.home.path());
        command.args(["--force", "--log-level", "warn"]);
        command
    }

    fn surround(&self, call: Call) -> Call {
        let call = call.env("PATH", self.path()).env("RAD_HOME", self.home.path());
        call.env("RAD_PASSPHRASE", "").env("NO_COLOR", "1")
    }

    fn path(&self) -> OsString {
        let mut path = self.folder.clone().into_os_string();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        path
    }
}
