//! The sessions of agent CLIs, kept on this machine from one attempt of a task to the next.
//!
//! A folder for each attempt: `files` is what its container sees and writes, `kept.json` beside it is this node's own
//! note and out of the container's reach. What an agent wrote is never read here, only counted and cut down to regular
//! files of a bounded size; links are not followed. The next attempt takes the folder over, so none is seen by two.

pub(super) mod untrusted;

use super::Shared;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::{Follow, Kept};
use ikigai_types::{Fence, NodeId};
use ikigai_wire::record::HostRecord;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Tasks whose sessions are kept; those that had an attempt last.
const TASKS: usize = 32;
/// How long the attempt before may take to be cleared away.
const CLEARED: Duration = Duration::from_secs(10);

/// This node's note beside a session.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// Number of the attempt that had it last.
    attempt: u32,
    /// Whose session it is.
    adapter: String,
    session: String,
}

impl Shared {
    /// Whether the CLI of an attempt has sessions that can be kept.
    fn has_sessions(&self, note: &HostRecord) -> bool {
        let adapter = self.options.adapters.get(&note.spec.adapter);
        adapter.is_some_and(|a| a.resume.is_some() && a.sessions.is_some())
    }

    /// The folder an attempt's container sees as its session folder.
    pub(super) fn session_files(&self, note: &HostRecord) -> Option<PathBuf> {
        let files = self
            .has_sessions(note)
            .then(|| self.session_folder(note.spec.owner, &note.lease.fence).join("files"));
        // An attempt from before there were sessions has none, and its container is found without.
        files.filter(|folder| folder.is_dir())
    }

    fn session_folder(&self, owner: NodeId, fence: &Fence) -> PathBuf {
        let name =
            ring::digest::digest(&ring::digest::SHA256, format!("{owner} {}", fence.attempt.task).as_bytes());
        let name: String = name.as_ref().iter().take(16).map(|b| format!("{b:02x}")).collect();
        self.options.sessions_folder.join(name).join(format!("{}-{}", fence.attempt.number, fence.epoch))
    }

    /// Makes the session folder of an attempt, and answers the session in it that its agent goes on with.
    pub(super) async fn take_session(&self, note: &HostRecord) -> PortResult<Option<String>> {
        if !self.has_sessions(note) {
            return Ok(None);
        }
        if note.follow.is_some() {
            tokio::select! {
                () = self.alone(note) => {}
                () = self.parts.clock.sleep(CLEARED) => {}
            }
        }
        let (own, busy) = (self.session_folder(note.spec.owner, &note.lease.fence), self.busy_sessions());
        let (follow, adapter) = (note.follow.clone(), note.spec.adapter.clone());
        blocking(move || take(&own, &busy, follow.as_ref(), &adapter)).await
    }

    /// Waits until no other attempt of the task is here any more: the one before may be being cleared away.
    async fn alone(&self, note: &HostRecord) {
        let own = self.session_folder(note.spec.owner, &note.lease.fence);
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if !self.busy_sessions().iter().any(|b| *b != own && b.parent() == own.parent()) {
                return;
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    pub(super) fn busy_sessions(&self) -> HashSet<PathBuf> {
        self.seats().iter().map(|(fence, seat)| self.session_folder(seat.owner, fence)).collect()
    }

    /// Notes what the CLI calls its session.
    pub(super) async fn name_session(&self, note: &HostRecord, session: &str) -> PortResult<()> {
        if !self.has_sessions(note) || !ikigai_task::follow::is_session(session) {
            return Ok(());
        }
        let folder = self.session_folder(note.spec.owner, &note.lease.fence);
        let (attempt, adapter) = (note.lease.fence.attempt.number, note.spec.adapter.clone());
        let kept = Note { attempt, adapter, session: session.to_owned() };
        blocking(move || {
            let fresh = folder.join("kept.json.new");
            fs::write(&fresh, serde_json::to_vec(&kept)?)?;
            fs::rename(&fresh, folder.join("kept.json"))
        })
        .await
    }

    /// Bytes of an attempt's session.
    pub(super) async fn session_bytes(&self, note: &HostRecord) -> u64 {
        let Some(files) = self.session_files(note) else { return 0 };
        blocking(move || Ok(untrusted::bytes(&files))).await.unwrap_or(0)
    }

    /// The attempt is over: what it left is cut down to what is kept, and old sessions go. While its container may
    /// still be there (not `gone`), nobody else may go on with its session.
    pub(super) async fn settle_session(&self, note: &HostRecord, gone: bool) -> PortResult<()> {
        if !self.has_sessions(note) {
            return Ok(());
        }
        // One that ended before its CLI said a word leaves what it was given.
        if let (Some(given), None) = (&note.resume, &note.session) {
            self.name_session(note, given).await?;
        }
        let folder = self.session_folder(note.spec.owner, &note.lease.fence);
        let (root, busy) = (self.options.sessions_folder.clone(), self.busy_sessions());
        blocking(move || {
            if !gone || kept(&folder).is_none() || !untrusted::tidy(&folder.join("files")) {
                untrusted::remove(&folder)?;
            }
            prune(&root, &busy, TASKS)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> PortResult<T> {
    let failed = |e: io::Error| PortError::failed("keeping a session", e);
    tokio::task::spawn_blocking(work).await.map_err(|e| failed(io::Error::other(e)))?.map_err(failed)
}

/// Makes the folder `own`: that of the attempt before with its session in it, or an empty one.
fn take(
    own: &Path,
    busy: &HashSet<PathBuf>,
    follow: Option<&Follow>,
    adapter: &str,
) -> io::Result<Option<String>> {
    let wanted = |folder: &Path| {
        let note = kept(folder).filter(|n| n.adapter == adapter)?;
        follow?.session(Some(&Kept { attempt: note.attempt, session: note.session }))
    };
    if own.is_dir() {
        // A restart: it was taken already.
        return Ok(wanted(own));
    }
    let task = own.parent().unwrap_or(own);
    fs::DirBuilder::new().recursive(true).mode(0o711).create(task)?;
    let mut others: Vec<_> = fs::read_dir(task)?.flatten().map(|e| e.path()).collect();
    others.retain(|o| !busy.contains(o));
    // A session of which nothing was written cannot go on.
    let whole = |folder: &Path| untrusted::tidy(folder) && untrusted::bytes(folder) > 0;
    let found = others.iter().find_map(|o| Some((o, wanted(o)?))).filter(|(o, _)| whole(&o.join("files")));
    let session = match found {
        Some((folder, session)) => fs::rename(folder, own).map(|()| Some(session))?,
        None => {
            // Whole or not at all: a restart takes a folder that is there for one that was taken.
            let fresh = own.with_extension("new");
            fs::create_dir_all(fresh.join("files"))?;
            untrusted::hand_over(&fresh.join("files"))?;
            fs::rename(&fresh, own)?;
            None
        }
    };
    others.iter().filter(|o| o.exists()).for_each(|old| remove(old));
    Ok(session)
}

/// This node's note in a session's folder.
fn kept(folder: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(folder.join("kept.json")).ok()?).ok()
}

/// Removes all but the newest `keep` tasks' sessions, and none that is in use.
pub(super) fn prune(root: &Path, busy: &HashSet<PathBuf>, keep: usize) -> io::Result<()> {
    let age = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    let mut tasks: Vec<_> = fs::read_dir(root)?.flatten().map(|e| e.path()).collect();
    tasks.sort_by_cached_key(|path| std::cmp::Reverse(age(path)));
    let old = tasks.iter().skip(keep).filter(|t| !busy.iter().any(|b| b.parent() == Some(t)));
    old.into_iter().for_each(|task| remove(task));
    Ok(())
}

/// What cannot be deleted now is tried again with the next attempt, and keeps nobody from working.
fn remove(folder: &Path) {
    if let Err(error) = untrusted::remove(folder) {
        tracing::warn!(folder = %folder.display(), %error, "a session is not deleted");
    }
}

#[cfg(test)]
mod tests;
