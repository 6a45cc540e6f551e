//! The folder that records one workload: by it a node finds the workload again after a restart.
//!
//! | file | written by | holds |
//! |---|---|---|
//! | `labels.json` | node | id, node, fence, role |
//! | `args`, `filter` | node | bubblewrap's options, the system-call filter |
//! | `claim`, `pid` | supervisor | that there is one, and which process it is |
//! | `status` | sandbox | `started`, or why the command could not be run |
//! | `info` | bubblewrap | the first process's number |
//! | `stdout`, `stderr`, `code` | supervisor | what was written, the exit code |
//! | `exit` | supervisor, last | the code, then the kernel's count of kills for want of memory |
//! | `killed` | node | that it sent SIGKILL |

use crate::process::{Identity, Stat};
use ikigai_ports::executor::{Exit, Role, WorkloadSpec};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Fence, NodeId, WorkloadId};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How the name of a folder begins that is not whole yet.
const NEW: &str = ".new-";
/// The same of one that is being removed.
const GONE: &str = ".gone-";

/// What a node must know to recognise a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// What the workload is called.
    pub id: WorkloadId,
    /// The node that launched it.
    pub node: NodeId,
    /// For which attempt and epoch.
    pub fence: Fence,
    /// What for.
    pub role: Role,
}

/// A workload's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub labels: Labels,
}

/// The folder's name: the same for the same node, fence and role, another for any other.
pub fn name(spec: &WorkloadSpec) -> String {
    let Fence { attempt, epoch } = &spec.fence;
    let role = match spec.role {
        Role::Agent => "agent",
        Role::Check => "check",
    };
    format!("{}-{}-{}-e{epoch}-{role}", spec.node, attempt.task, attempt.number)
}

impl Folder {
    /// Makes the folder of a new workload, complete or not at all, with `files` in it; `None` when there is
    /// one of that name already.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn create(
        state: &Path,
        name: &str,
        labels: Labels,
        files: &[(&str, &[u8])],
    ) -> io::Result<Option<Self>> {
        let fresh = state.join(format!("{NEW}{}", labels.id));
        fs::create_dir(&fresh)?;
        let written = serde_json::to_vec(&labels).map_err(io::Error::other).and_then(|text| {
            fs::write(fresh.join("labels.json"), text)?;
            files.iter().try_for_each(|(file, bytes)| fs::write(fresh.join(file), bytes))
        });
        let path = state.join(name);
        match written.and_then(|()| fs::rename(&fresh, &path)) {
            Ok(()) => Ok(Some(Self { path, labels })),
            Err(error) => {
                fs::remove_dir_all(&fresh)?;
                if path.is_dir() { Ok(None) } else { Err(error) }
            }
        }
    }

    /// The folder at `path`; `None` when none is there.
    ///
    /// # Errors
    /// [`PortError::Corrupt`] when it cannot be read.
    pub fn open(path: &Path) -> PortResult<Option<Self>> {
        match fs::read(path.join("labels.json")) {
            Ok(text) => {
                let labels = serde_json::from_slice(&text);
                let labels = labels.map_err(|_| PortError::Corrupt(path.display().to_string()))?;
                Ok(Some(Self { path: path.to_owned(), labels }))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(PortError::failed(format!("reading {}", path.display()), error)),
        }
    }

    /// Every workload recorded under `state`. A folder that cannot be read is passed over and told.
    ///
    /// # Errors
    /// When `state` itself cannot be read.
    pub fn all(state: &Path) -> PortResult<Vec<Self>> {
        let entries =
            fs::read_dir(state).map_err(|e| PortError::failed(format!("reading {}", state.display()), e))?;
        let visible = entries.flatten().filter(|e| !e.file_name().to_string_lossy().starts_with('.'));
        let open = |entry: fs::DirEntry| match Self::open(&entry.path()) {
            Ok(folder) => folder,
            Err(error) => {
                tracing::warn!(folder = %entry.path().display(), error = error.chain(), "is no workload's");
                None
            }
        };
        Ok(visible.filter_map(open).collect())
    }

    /// Takes it away. Out of sight first: what is half removed is nobody's workload.
    ///
    /// # Errors
    /// When the disk does not let it go.
    pub fn remove(&self, state: &Path) -> io::Result<()> {
        let gone = state.join(format!("{GONE}{}", self.labels.id));
        match fs::rename(&self.path, &gone) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match fs::remove_dir_all(&gone) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Clears what a node was making or removing when it was killed.
    pub fn sweep(state: &Path) {
        for entry in fs::read_dir(state).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let half = [NEW, GONE].iter().any(|start| name.to_string_lossy().starts_with(start));
            if half && let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(folder = %entry.path().display(), %error, "cannot clear what an earlier run left");
            }
        }
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.file(name)).ok()
    }

    /// The process that supervises it, if it ever began.
    pub fn supervisor(&self) -> Option<Identity> {
        self.text("pid")?.parse().ok()
    }

    /// The first process of the sandbox while it is there.
    ///
    /// Its number is believed only while its parents are the ones it was made by.
    pub fn first(&self) -> Option<Identity> {
        if let Some(known) = self.text("first").and_then(|text| text.parse::<Identity>().ok()) {
            return Some(known);
        }
        let supervisor = self.supervisor().filter(Identity::is_alive)?;
        let told = self.text("info")?;
        let pid: i32 = told
            .split("\"child-pid\":")
            .nth(1)?
            .trim_start()
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()?;
        let first = Identity::of(pid)?;
        let mut ancestor = pid;
        for _ in 0..4 {
            ancestor = Stat::of(ancestor)?.parent;
            if ancestor == supervisor.pid && first.is_alive() {
                let fresh = self.file("first.new");
                let _ = fs::write(&fresh, first.to_string())
                    .and_then(|()| fs::rename(&fresh, self.file("first")));
                return Some(first);
            }
        }
        None
    }

    /// Whether the command, or nothing, began: what the sandbox said so far.
    pub fn status(&self) -> Status {
        match self.text("status").as_deref().map(str::trim_end) {
            Some("started") => Status::Started,
            Some(said) if !said.is_empty() => {
                Status::Unrunnable(said.split_once(' ').map_or(said, |(_code, why)| why).to_owned())
            }
            _ => Status::Unknown,
        }
    }

    /// How it ended, once that is recorded.
    pub fn exit(&self) -> Option<Exit> {
        let recorded = self.text("exit")?;
        let mut lines = recorded.lines();
        let code = lines.next().and_then(|line| line.parse().ok()).unwrap_or(NEVER_STARTED);
        let counted = lines.filter_map(|line| line.strip_prefix("oom_kill ")).any(|n| n != "0");
        let out_of_memory = counted && code == 128 + 9 && !self.file("killed").exists();
        let detail = match self.status() {
            Status::Started => None,
            Status::Unrunnable(why) => Some(why),
            Status::Unknown => Some(self.complaint()),
        };
        Some(Exit { code, out_of_memory, detail })
    }

    /// The last of what the programs that build the sandbox complained of.
    pub fn complaint(&self) -> String {
        let said = self.text("stderr").unwrap_or_default();
        let last =
            said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("the sandbox could not be made");
        last.chars().filter(|c| !c.is_control()).take(300).collect()
    }

    /// SIGKILL to the first process, with which the kernel ends all others of its namespace.
    pub fn kill(&self) {
        let _ = fs::write(self.file("killed"), "");
        match self.first() {
            Some(first) => first.send(Signal::KILL),
            // Not even begun: what there is, is the supervisor's own group.
            None => self.kill_group(),
        }
    }

    fn kill_group(&self) {
        let alive = self.supervisor().filter(Identity::is_alive);
        if let Some(group) = alive.and_then(|s| rustix::process::Pid::from_raw(s.pid)) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

/// What is known of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It runs or ran.
    Started,
    /// It could not be run, and why.
    Unrunnable(String),
    /// Nothing yet, or the sandbox could not be made.
    Unknown,
}

/// The exit code of what never began, as engines give it.
pub const NEVER_STARTED: i32 = 125;

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::{AttemptId, Epoch};

    fn labels(id: &str) -> Labels {
        let attempt = AttemptId { task: "p.f:x.T001".parse().unwrap(), number: 1 };
        Labels {
            id: id.parse().unwrap(),
            node: NodeId::from_bytes([1; 32]),
            fence: Fence { attempt, epoch: Epoch(2) },
            role: Role::Check,
        }
    }

    #[test]
    fn only_one_of_two_makes_it() {
        let state = tempfile::tempdir().unwrap();
        let made = Folder::create(state.path(), "w", labels("a"), &[("args", b"x")]).unwrap().unwrap();
        assert_eq!(fs::read(made.file("args")).unwrap(), b"x");
        assert!(Folder::create(state.path(), "w", labels("b"), &[]).unwrap().is_none());
        let all = Folder::all(state.path()).unwrap();
        assert_eq!(all.iter().map(|f| f.labels.clone()).collect::<Vec<_>>(), [labels("a")]);
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1, "the loser leaves nothing");
    }

    #[test]
    fn what_was_half_made_or_half_removed_is_cleared_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        let whole = Folder::create(state.path(), "w", labels("a"), &[]).unwrap().unwrap();
        for half in [".new-b", ".gone-c", ".etc"] {
            fs::create_dir(state.path().join(half)).unwrap();
            fs::write(state.path().join(half).join("file"), "").unwrap();
        }
        Folder::sweep(state.path());
        let left = || {
            let names = fs::read_dir(state.path()).unwrap().flatten().map(|e| e.file_name());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(left(), [".etc".into(), "w".into()].into());
        whole.remove(state.path()).unwrap();
        assert_eq!(left(), [".etc".into()].into());
        whole.remove(state.path()).unwrap();
    }

    #[test]
    fn what_is_no_workload_is_passed_over() {
        let state = tempfile::tempdir().unwrap();
        fs::create_dir(state.path().join("torn")).unwrap();
        fs::write(state.path().join("torn/labels.json"), "{").unwrap();
        fs::write(state.path().join("note"), "").unwrap();
        assert!(Folder::all(state.path()).unwrap().is_empty());
        assert!(matches!(Folder::open(&state.path().join("torn")), Err(PortError::Corrupt(_))));
    }

    #[test]
    fn the_end_is_told_as_it_was_recorded() {
        let state = tempfile::tempdir().unwrap();
        let folder =
            Folder::create(state.path(), "w", labels("a"), &[("status", b"started\n")]).unwrap().unwrap();
        let exit = |text: &str| {
            fs::write(folder.file("exit"), text).unwrap();
            let exit = folder.exit().unwrap();
            (exit.code, exit.out_of_memory)
        };
        assert_eq!(folder.exit(), None);
        assert_eq!(exit("3\noom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), (3, false), "only a child");
        assert_eq!(exit("137\noom_kill 0\n"), (137, false));
        assert_eq!(exit("137\noom_kill 2\n"), (137, true));
        fs::write(folder.file("killed"), "").unwrap();
        assert_eq!(exit("137\noom_kill 2\n"), (137, false), "we killed it");
        fs::write(folder.file("status"), "127 /nope: no such file\n").unwrap();
        fs::write(folder.file("exit"), "127\n").unwrap();
        assert_eq!(folder.exit().unwrap().detail.as_deref(), Some("/nope: no such file"));
    }
}
