//! A node's folder: everything it keeps is below it, and one node at a time has it.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Folders and files of one node.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

#[allow(missing_docs, reason = "each is the place of what it is named after")]
impl Home {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn socket(&self) -> PathBuf {
        self.0.join("ikigai.sock")
    }
    pub fn token(&self) -> PathBuf {
        self.0.join("token")
    }
    pub fn policy(&self) -> PathBuf {
        self.0.join("policy.cedar")
    }
    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }
    pub fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }
    pub fn git(&self) -> PathBuf {
        self.0.join("git")
    }
    pub fn radicle(&self) -> PathBuf {
        self.0.join("radicle")
    }
    pub fn processes(&self) -> PathBuf {
        self.0.join("processes")
    }
    pub fn adapters(&self) -> PathBuf {
        self.0.join("adapters")
    }
    fn seed(&self) -> PathBuf {
        self.0.join("node.key")
    }
    fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }
}

/// The folder a node of this user has when none is named: `$IKIGAI_HOME`, `/var/lib/ikigai` for root,
/// `$XDG_DATA_HOME/ikigai` otherwise.
pub fn default_home() -> PathBuf {
    if let Some(home) = std::env::var_os("IKIGAI_HOME") {
        return home.into();
    }
    if rustix::process::geteuid().is_root() {
        return "/var/lib/ikigai".into();
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    std::env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from).join("ikigai")
}

/// The lock that says this process is the home's node; released by the kernel when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: std::fs::File,
}

impl Home {
    /// Makes the folder and takes its lock; `None` when another node has it.
    pub(crate) fn claim(&self) -> std::io::Result<Option<Lock>> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        // Whoever made the folder before: what is in it is nobody else's to read.
        std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(0o700))?;
        for folder in [self.store(), self.logs(), self.run(), self.git(), self.sessions()] {
            std::fs::DirBuilder::new().recursive(true).mode(0o711).create(folder)?;
        }
        let file =
            std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(self.lock_file())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// The seed of the node's key, made with `fresh` when there is none yet. On disk before it is used.
    pub(crate) fn key(&self, fresh: [u8; 32]) -> std::io::Result<[u8; 32]> {
        let path = self.seed();
        match std::fs::File::open(&path) {
            Ok(mut file) => {
                let mut seed = [0; 32];
                file.read_exact(&mut seed)?;
                Ok(seed)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let new = path.with_extension("new");
                let mut file = std::fs::OpenOptions::new()
                    .create(true)
                    .write(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&new)?;
                file.write_all(&fresh)?;
                file.sync_all()?;
                std::fs::rename(&new, &path)?;
                std::fs::File::open(&self.0)?.sync_all()?;
                Ok(fresh)
            }
            Err(error) => Err(error),
        }
    }
}
