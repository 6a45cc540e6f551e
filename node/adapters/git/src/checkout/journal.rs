//! Remembers which content of a file was the person's before the node changed it, so that a commit of that
//! file never takes along a change of theirs.

use super::hash;
use crate::copies::Copies;
use ikigai_ports::checkout::ContentHash;
use ikigai_ports::{PortError, PortResult};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The note on one file: `<hash before> <hash after>`.
#[derive(Debug)]
pub(super) struct Journal(PathBuf);

impl Journal {
    /// The note on `path` of `checkout`.
    pub fn of(copies: &Copies, checkout: &Path, path: &Path) -> Self {
        let name = hash(&[checkout.as_os_str().as_bytes(), b"\0", path.as_os_str().as_bytes()].concat());
        Self(copies.layout().edits().join(hex(&name)))
    }

    /// Notes that content `before` is about to become `after`.
    pub fn will_write(&self, before: &ContentHash, after: &ContentHash) -> PortResult<()> {
        let first = match self.read() {
            // Our own change is changed further: what was the person's stays the same.
            Some((first, last)) if last == hex(before) => first,
            _ => hex(before),
        };
        let write = || {
            if let Some(folder) = self.0.parent() {
                fs::create_dir_all(folder)?;
            }
            let fresh = self.0.with_extension("new");
            fs::write(&fresh, format!("{first} {}", hex(after)))?;
            fs::File::open(&fresh)?.sync_all()?;
            fs::rename(&fresh, &self.0)
        };
        write().map_err(|e: std::io::Error| PortError::failed("noting a change of a checkout", e))
    }

    /// Whether all that turned `committed` into `now` was the node's doing.
    pub fn covers(&self, committed: &ContentHash, now: &ContentHash) -> bool {
        self.read().is_some_and(|(first, last)| first == hex(committed) && last == hex(now))
    }

    /// Forgets the note once the change is committed.
    pub fn settle(&self) {
        let _ = fs::remove_file(&self.0);
    }

    fn read(&self) -> Option<(String, String)> {
        let text = fs::read_to_string(&self.0).ok()?;
        let (first, last) = text.split_once(' ')?;
        Some((first.to_owned(), last.to_owned()))
    }
}

fn hex(hash: &ContentHash) -> String {
    hash.0.iter().map(|b| format!("{b:02x}")).collect()
}
