//! Making sled's files durable: `sled::Db::flush` hands them to the kernel, this hands them to the disk.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Makes all that was written to a store's folder before the call survive a power cut.
///
/// The store calls it from one thread, after each flush and before the answer. Tests put their own here, to
/// see what is durable at each moment.
pub trait Syncer: fmt::Debug + Send + 'static {
    /// Syncs files of `folder` that are new, before sled's log that points to them is flushed: sled passes over
    /// a record whose blob is missing and keeps the rest of its batch.
    ///
    /// # Errors
    /// What the file system answers.
    fn sync_new(&mut self, folder: &Path) -> io::Result<()>;

    /// Syncs the log and all other files of `folder`.
    ///
    /// # Errors
    /// What the file system answers. The store then answers no commit until it is opened again, because after
    /// a failed sync the kernel no longer knows which pages are missing on disk.
    fn sync(&mut self, folder: &Path) -> io::Result<()>;
}

/// The real one: `fdatasync` of sled's log, `fsync` of files that are new and of the folders they are in.
#[derive(Debug, Default)]
pub struct FileSync {
    log: Option<File>,
    seen: BTreeSet<PathBuf>,
}

impl Syncer for FileSync {
    fn sync_new(&mut self, folder: &Path) -> io::Result<()> {
        self.sync_entries(&folder.join("blobs"))
    }

    fn sync(&mut self, folder: &Path) -> io::Result<()> {
        self.sync_entries(&folder.join("blobs"))?;
        self.sync_entries(folder)?;
        let log = match &mut self.log {
            Some(log) => log,
            none => none.insert(File::open(folder.join("db"))?),
        };
        log.sync_data()
    }
}

impl FileSync {
    /// Syncs the files of `folder` that were not there last time, then the folder, if any came or went.
    fn sync_entries(&mut self, folder: &Path) -> io::Result<()> {
        let mut now = BTreeSet::new();
        for entry in fs::read_dir(folder)? {
            now.insert(entry?.path());
        }
        let before: BTreeSet<PathBuf> =
            self.seen.iter().filter(|p| p.parent() == Some(folder)).cloned().collect();
        if now == before {
            return Ok(());
        }
        for path in now.difference(&before) {
            match File::open(path) {
                Ok(file) => file.sync_all()?,
                // sled renames and removes files of its own while we look.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
        }
        File::open(folder)?.sync_all()?;
        self.seen.retain(|path| path.parent() != Some(folder));
        self.seen.extend(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_are_synced_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        fs::write(folder.path().join("db"), "x").unwrap();
        let mut sync = FileSync::default();
        sync.sync(folder.path()).unwrap();
        assert_eq!(sync.seen.len(), 2, "the log and the folder of blobs");
        fs::write(folder.path().join("blobs/7"), "x").unwrap();
        sync.sync(folder.path()).unwrap();
        assert!(sync.seen.contains(&folder.path().join("blobs/7")));
        fs::remove_file(folder.path().join("blobs/7")).unwrap();
        sync.sync(folder.path()).unwrap();
        assert_eq!(sync.seen.len(), 2);
    }
}
