//! What a node may set about its Docker engine.

use std::path::{Path, PathBuf};

/// Where a machine's engine listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// How to reach the engine.
#[derive(Debug, Clone, Default)]
pub struct DockerOptions {
    /// The engine's Unix socket; [`DEFAULT_SOCKET`] when `None`. Nothing but a Unix socket is spoken to.
    pub socket: Option<PathBuf>,
    /// How a folder of this process is called on the engine's machine.
    pub paths: HostPaths,
}

impl DockerOptions {
    /// The socket that is meant.
    pub fn socket(&self) -> &Path {
        self.socket.as_deref().unwrap_or(Path::new(DEFAULT_SOCKET))
    }
}

/// How folders of this process become folders of the engine's machine, where mounts are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostPaths {
    /// Finds out: in a container of the same engine by that container's own mounts, else the same.
    #[default]
    Detect,
    /// Both see the same folders under the same names.
    Same,
    /// `(here, there)` for each shared folder; a mount from elsewhere is refused.
    Mapped(Vec<(PathBuf, PathBuf)>),
}
