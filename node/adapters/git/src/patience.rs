//! Locks of git that stand in the way: waited for, and cleared when nobody can hold them any more.

use crate::command::{Answer, Call, GitError};
use crate::copies::Copies;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How old a lock is that nobody holds: git holds one for milliseconds.
const STALE: Duration = Duration::from_secs(5);
/// How often a lock is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Most locks one call clears from its way.
const LOCKS: usize = 8;

impl Copies {
    /// Makes the call that `make` makes, again when a lock of git was in its way. The caller holds the
    /// project, so a lock that stays is one that a killed git or a power cut left.
    ///
    /// # Errors
    /// [`GitError`] as of the call.
    pub async fn patiently(&self, make: impl Fn() -> Call) -> Result<Answer, GitError> {
        for _ in 0..LOCKS {
            let answer = make().answer().await?;
            let Some(lock) = (answer.code != 0).then(|| self.lock_in(&answer.complaint())).flatten() else {
                return Ok(answer);
            };
            while lock.exists() && !is_stale(&lock) {
                // A file that goes away has no event that is worth a watch here.
                tokio::time::sleep(LOOK).await;
            }
            clear(&lock);
        }
        make().answer().await
    }

    /// The lock of ours a complaint of git names.
    fn lock_in(&self, complaint: &str) -> Option<PathBuf> {
        let path =
            PathBuf::from(complaint.split_once("Unable to create '")?.1.split_once("': File exists")?.0);
        let ours =
            [self.layout().projects(), self.layout().forge()].iter().any(|folder| path.starts_with(folder));
        (ours && path.extension().is_some_and(|e| e == "lock")).then_some(path)
    }
}

fn is_stale(lock: &Path) -> bool {
    let age = fs::metadata(lock).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_none_or(|age| age > STALE)
}

fn clear(lock: &Path) {
    if fs::remove_file(lock).is_ok() {
        tracing::warn!(path = %lock.display(), "a lock that a killed git left is gone");
    }
}
