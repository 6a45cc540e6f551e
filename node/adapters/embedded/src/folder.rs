//! Where things lie: `lock`, `journal-<n>.log`, `attempts/<task>/<number>.log`.

use ikigai_ports::{PortError, PortResult};
use ikigai_types::AttemptId;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the logs, locked against other processes.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes and locks the folder.
    pub(crate) fn open(path: &Path) -> PortResult<Self> {
        let failed = |e| PortError::failed(format!("opening the log folder {}", path.display()), e);
        let new = !path.join("attempts").is_dir();
        fs::create_dir_all(path.join("attempts")).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(PortError::Refused(
                    "the logs are open in another process: stop that one first".into(),
                ));
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        if new {
            sync(path).map_err(failed)?;
            path.parent().filter(|above| *above != Path::new("")).map_or(Ok(()), sync).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of an attempt. Its id is made of letters, digits and `._:-` and begins with one of the first
    /// two, so that it names nothing outside the folder.
    pub(crate) fn attempt(&self, attempt: &AttemptId) -> PathBuf {
        self.path.join("attempts").join(attempt.task.as_str()).join(format!("{}.log", attempt.number))
    }

    pub(crate) fn journal(&self, number: u64) -> PathBuf {
        self.path.join(format!("journal-{number:010}.log"))
    }

    /// The numbers of all journals, rising.
    pub(crate) fn journals(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("journal-")?.strip_suffix(".log"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// Makes durable which entries a folder has.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
