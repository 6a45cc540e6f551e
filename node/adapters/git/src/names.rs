//! Where things of a project and of an attempt are: folders and refs.

use ikigai_types::{AttemptId, Epoch, Fence, ProjectId, TaskId};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// `text` as one component of a ref: what git forbids there is percent-encoded, so nothing can collide.
pub fn ref_part(text: &str) -> String {
    let mut out = String::new();
    let bytes = text.as_bytes();
    for (i, &b) in bytes.iter().enumerate() {
        let rest = &bytes[i + 1..];
        let bad_dot = b == b'.' && (i == 0 || rest.is_empty() || rest[0] == b'.' || rest == b"lock");
        let fine = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if fine && !bad_dot && !(b == b'-' && i == 0) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

/// The branch an agent works on.
pub fn branch(task: &TaskId) -> String {
    format!("ikigai/{}", ref_part(task.short()))
}

/// A ref of `kind` (`attempts`, `salvage`, `incoming`) for an attempt.
pub fn attempt_ref(kind: &str, attempt: &AttemptId) -> String {
    format!("refs/ikigai/{kind}/{}/{}", ref_part(attempt.task.as_str()), attempt.number)
}

/// `<attempt>-<epoch>`: the folder of a workspace within its task's folder.
pub fn workspace_part(fence: &Fence) -> String {
    format!("{}-{}", fence.attempt.number, fence.epoch)
}

/// Reads what [`workspace_part`] wrote.
pub fn read_workspace_part(task: &str, part: &str) -> Option<Fence> {
    let (number, epoch) = part.split_once('-')?;
    let task = TaskId::new(task).ok()?;
    let fence = Fence {
        attempt: AttemptId { task, number: number.parse().ok()? },
        epoch: Epoch(epoch.parse().ok()?),
    };
    (workspace_part(&fence) == part).then_some(fence)
}

/// The folders of a node's git store.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout under `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Settings and scratch of the git program.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// One lock per project.
    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// Notes on changes of checkouts that are not committed yet.
    pub fn edits(&self) -> PathBuf {
        self.root.join("edits")
    }

    /// The repositories of the git forge, unless it is given another place.
    pub fn forge(&self) -> PathBuf {
        self.root.join("forge")
    }

    /// The bare copies.
    pub fn projects(&self) -> PathBuf {
        self.root.join("projects")
    }

    /// The bare copy of `project`.
    pub fn bare(&self, project: &ProjectId) -> PathBuf {
        self.projects().join(format!("{project}.git"))
    }

    /// The workspaces of all tasks.
    pub fn workspaces(&self) -> PathBuf {
        self.root.join("workspaces")
    }

    /// The workspace of one fence.
    pub fn workspace(&self, fence: &Fence) -> PathBuf {
        self.workspaces().join(fence.attempt.task.as_str()).join(workspace_part(fence))
    }

    /// What is being made, and moved into its place when it is whole.
    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// What is being deleted.
    pub fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ref_parts_are_legal_and_do_not_collide() {
        for (text, want) in [
            ("1f0c.001-shop.T012", "1f0c.001-shop.T012"),
            ("a..b", "a%2E.b"),
            ("a:b", "a%3Ab"),
            ("a.lock", "a%2Elock"),
            ("a.", "a%2E"),
            ("a.locked", "a.locked"),
        ] {
            assert_eq!(ref_part(text), want);
        }
    }

    #[test]
    fn a_workspace_folder_reads_back_as_its_fence() {
        let fence = Fence {
            attempt: AttemptId { task: TaskId::new("p.f.T001").unwrap(), number: 3 },
            epoch: Epoch(7),
        };
        assert_eq!(read_workspace_part("p.f.T001", "3-7"), Some(fence));
        for bad in ["3-7.pack", "03-7", "3", "3-+7", "x-1"] {
            assert_eq!(read_workspace_part("p.f.T001", bad), None, "{bad}");
        }
    }
}
