//! All attempts that are in use, and their way back to disk.

use crate::attempt::Attempt;
use crate::folder::{self, Folder};
use ikigai_types::AttemptId;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Attempts in memory before idle ones are let go.
const MANY: usize = 1024;

/// Threads that sync files at once; the file system puts their flushes together.
const SYNCING: usize = 8;

#[derive(Debug)]
pub(crate) struct Shelf {
    folder: Folder,
    attempts: Mutex<HashMap<AttemptId, Arc<Attempt>>>,
}

impl Shelf {
    pub(crate) fn new(folder: Folder) -> Self {
        Self { folder, attempts: Mutex::default() }
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The state of an attempt, the same for all who ask.
    pub(crate) fn attempt(&self, id: &AttemptId) -> Arc<Attempt> {
        let mut attempts = self.lock();
        if let Some(attempt) = attempts.get(id) {
            return Arc::clone(attempt);
        }
        if attempts.len() >= MANY {
            // One that nobody else holds cannot be taken by anyone while the map is locked.
            attempts.retain(|_, attempt| Arc::strong_count(attempt) > 1 || !attempt.is_idle());
        }
        let attempt = Arc::new(Attempt::new(self.folder.attempt(id)));
        attempts.insert(id.clone(), Arc::clone(&attempt));
        attempt
    }

    /// Writes into the files all that waits for them, not synced.
    pub(crate) fn spill(&self) -> io::Result<()> {
        self.all().iter().try_for_each(|attempt| attempt.spill().map(drop))
    }

    /// Writes and syncs all files that changed, and the folders they are in, `also` among them.
    pub(crate) fn settle(&self, mut also: BTreeSet<PathBuf>) -> io::Result<()> {
        let all = self.all();
        all.iter().try_for_each(|attempt| attempt.spill().map(drop))?;
        let share = all.len().div_ceil(SYNCING).max(1);
        let synced = std::thread::scope(|scope| {
            let sync =
                |share: &[Arc<Attempt>]| share.iter().map(|a| a.sync()).collect::<io::Result<Vec<_>>>();
            let threads: Vec<_> = all.chunks(share).map(|share| scope.spawn(move || sync(share))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().expect("invariant: sync is total")
            };
            threads.into_iter().map(join).collect::<io::Result<Vec<_>>>()
        })?;
        also.extend(synced.into_iter().flatten().flatten());
        for path in &also {
            match folder::sync(path) {
                // Removed with its last file; the folder above tells.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        if also.is_empty() { Ok(()) } else { folder::sync(&self.folder.path().join("attempts")) }
    }

    fn all(&self) -> Vec<Arc<Attempt>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptId, Arc<Attempt>>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
