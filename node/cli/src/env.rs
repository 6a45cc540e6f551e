//! What a command finds around it: where the node is, where the project is, how to print, what time it is.

use crate::args::Global;
use crate::contexts;
use crate::output::Printer;
use crate::project::{self, Project};
use ikigai_ports::NodeHandle;
use ikigai_remote::{RemoteNode, place};
use ikigai_types::Timestamp;
use ikigai_wire::api::{Code, Problem};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The surroundings of a command.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) out: Printer,
    pub(crate) global: Global,
    pub(crate) cwd: PathBuf,
}

// === impl Env ===

impl Env {
    pub(crate) fn of(global: &Global) -> Result<Self, Problem> {
        let cwd = std::env::current_dir();
        let cwd =
            cwd.map_err(|e| Problem::plain(Code::Failed, format!("the current folder cannot be read: {e}")))?;
        Ok(Self { out: Printer::new(global.format(), global.quiet), global: global.clone(), cwd })
    }

    /// The node this command talks to.
    pub(crate) fn node(&self) -> Result<Arc<dyn NodeHandle>, Problem> {
        Ok(Arc::new(self.remote()?))
    }

    /// The same for what its API has beside the node: the dashboard.
    pub(crate) fn remote(&self) -> Result<RemoteNode, Problem> {
        contexts::load()?.open(self.global.context.as_deref(), || self.reach())
    }

    /// The socket to ask this machine's node over: one's own node's, or the one that a node has for everybody.
    pub(crate) fn reach(&self) -> Result<PathBuf, Problem> {
        let is_named = self.global.home.is_some() || std::env::var_os("IKIGAI_HOME").is_some();
        Ok(place::socket(&self.state_dir()?, is_named, Path::new(place::SHARED)))
    }

    /// The state folder of this machine's node.
    pub(crate) fn state_dir(&self) -> Result<PathBuf, Problem> {
        let root = rustix::process::geteuid().is_root();
        let dir = place::state_dir(self.global.home.as_deref(), root, |name| std::env::var_os(name));
        let hint = "name a folder with --home or IKIGAI_HOME";
        let dir = dir
            .ok_or_else(|| Problem::new(Code::Usage, "there is no home folder for the node's state", hint))?;
        Ok(if dir.is_absolute() { dir } else { self.cwd.join(dir) })
    }

    /// The socket of this machine's node.
    pub(crate) fn socket(&self) -> Result<PathBuf, Problem> {
        Ok(self.state_dir()?.join(place::SOCKET))
    }

    /// The project around the current folder, if there is one.
    pub(crate) fn project(&self) -> Option<Project> {
        project::find(&self.cwd)
    }

    pub(crate) fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
