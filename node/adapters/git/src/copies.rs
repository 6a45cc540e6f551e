//! The node's bare copies of its projects: what every other part of this crate reads and writes.

use crate::command::{Answer, Call, Git, GitError};
use crate::commit::{checked, is_object_id};
use crate::names::Layout;
use crate::turns::{self, Place, Turn};
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::ProjectId;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A project that is held: nobody else changes its branches until this is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "the lock goes with the open file, and then the place")]
pub struct Held(File, Place);

/// How one end of a branch stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They are one commit.
    Same,
    /// It is an ancestor.
    Behind,
    /// It is a descendant.
    Ahead,
    /// Each has what the other has not.
    Apart,
}

/// The bare copies under one folder; cheap to clone, and any number may be open on one folder.
#[derive(Debug, Clone)]
pub struct Copies {
    git: Git,
    layout: Layout,
}

impl Copies {
    /// Uses `folder`, made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open(folder: &Path) -> PortResult<Self> {
        let layout = Layout::new(folder);
        let failed = |e| PortError::failed(format!("making {}", folder.display()), e);
        // Workloads reach their own workspace by a bind mount or a path; nobody else lists or reads.
        for (dir, mode) in [
            (folder.to_owned(), 0o711),
            (layout.projects(), 0o700),
            (layout.workspaces(), 0o711),
            (layout.staging(), 0o700),
            (layout.trash(), 0o700),
            (layout.locks(), 0o700),
        ] {
            std::fs::DirBuilder::new().recursive(true).mode(mode).create(&dir).map_err(failed)?;
        }
        let git = Git::new(&layout.home()).map_err(failed)?;
        Ok(Self { git, layout })
    }

    /// The git program as this folder runs it.
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// Where things are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The bare copy of `project`; it may not be there yet.
    pub fn path(&self, project: &ProjectId) -> PathBuf {
        self.layout.bare(project)
    }

    /// A call of git on the bare copy of `project`.
    pub fn call(&self, project: &ProjectId, verb: &str) -> Call {
        self.git.bare(&self.path(project), verb)
    }

    /// Holds `project` until dropped, against all other holders on this machine.
    ///
    /// # Errors
    /// When the lock cannot be written.
    pub async fn hold(&self, project: &ProjectId) -> PortResult<Held> {
        self.hold_in(project, Turn::Work).await
    }

    /// The same, before all who wait for it in this process and whose work can wait.
    ///
    /// # Errors
    /// When the lock cannot be written.
    pub async fn hold_in(&self, project: &ProjectId, turn: Turn) -> PortResult<Held> {
        let path = self.layout.locks().join(project.as_str());
        let place = turns::project(&path).enter(turn).await;
        let lock = move || -> io::Result<Held> {
            let file = File::options().create(true).append(true).open(path)?;
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
            Ok(Held(file, place))
        };
        let held = tokio::task::spawn_blocking(lock)
            .await
            .map_err(|e| PortError::failed("waiting for a lock", e))?;
        held.map_err(|e| PortError::failed(format!("locking project {project}"), e))
    }

    /// Makes the bare copy of `project` if it is not there; `format` is `sha1` or `sha256`.
    ///
    /// # Errors
    /// When git cannot make it.
    pub async fn make(&self, project: &ProjectId, format: &str) -> PortResult<PathBuf> {
        let path = self.path(project);
        if !path.join("HEAD").is_file() {
            let fresh = self.scratch("init");
            let init = self.git.call("init").args(["--quiet", "--bare", "--template="]);
            init.arg(format!("--object-format={format}")).arg(&fresh).run().await?;
            match std::fs::rename(&fresh, &path) {
                Err(e) if !path.join("HEAD").is_file() => {
                    return Err(PortError::failed("making a bare copy", e));
                }
                _ => {}
            }
        }
        Ok(path)
    }

    /// The bare copy of `project`, which must be there.
    ///
    /// # Errors
    /// [`PortError::NotFound`] when the project was never imported.
    pub fn existing(&self, project: &ProjectId) -> PortResult<PathBuf> {
        let path = self.path(project);
        if path.join("HEAD").is_file() {
            Ok(path)
        } else {
            Err(PortError::NotFound(format!("a copy of project {project}")))
        }
    }

    /// A path of its own in the staging folder.
    pub(crate) fn scratch(&self, what: &str) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        self.layout.staging().join(format!("{what}-{}-{n}", std::process::id()))
    }

    /// The object `name` stands for, peeled to a commit; `None` when there is none.
    ///
    /// # Errors
    /// When git fails otherwise.
    pub async fn resolve(&self, project: &ProjectId, name: &str) -> PortResult<Option<Commit>> {
        self.resolve_in(&self.path(project), name).await
    }

    /// The same in the bare repository at `dir`.
    pub(crate) async fn resolve_in(&self, dir: &Path, name: &str) -> PortResult<Option<Commit>> {
        let call = self.git.bare(dir, "rev-parse").args(["--verify", "--quiet", "--end-of-options"]);
        let answer = call.arg(format!("{name}^{{commit}}")).answer().await?;
        let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        Ok((answer.code == 0 && is_object_id(&text)).then_some(Commit(text)))
    }

    /// Whether `old` is `new` or one of its ancestors.
    ///
    /// # Errors
    /// When one of them is not in the copy.
    pub async fn is_ancestor(&self, project: &ProjectId, old: &Commit, new: &Commit) -> PortResult<bool> {
        let call = self.call(project, "merge-base").arg("--is-ancestor");
        Ok(call.args([checked(old)?, checked(new)?]).holds().await?)
    }

    /// How `ours` stands to `theirs`; both must be in the copy.
    ///
    /// # Errors
    /// When git fails.
    pub async fn standing(
        &self,
        project: &ProjectId,
        ours: &Commit,
        theirs: &Commit,
    ) -> PortResult<Standing> {
        if ours == theirs {
            return Ok(Standing::Same);
        }
        let call = self.call(project, "rev-list").args(["--left-right", "--count"]);
        let text = call.arg(format!("{}...{}", checked(ours)?, checked(theirs)?)).text().await?;
        match text.split_once('\t') {
            Some(("0", _)) => Ok(Standing::Behind),
            Some((_, "0")) => Ok(Standing::Ahead),
            Some(_) => Ok(Standing::Apart),
            None => Err(PortError::Corrupt("what git says of two commits".to_owned())),
        }
    }

    /// The branch the checkout at `path` is on.
    ///
    /// # Errors
    /// [`PortError::Refused`] when it is on none.
    pub async fn branch_of(&self, path: &Path) -> PortResult<String> {
        crate::import::head_branch(self, path).await
    }

    /// Sets the ref `name` from `old` (`None`: it must not exist) to `new`.
    ///
    /// # Errors
    /// [`PortError::Conflict`] when it was not at `old`.
    pub async fn set_ref(
        &self,
        project: &ProjectId,
        name: &str,
        new: &Commit,
        old: Option<&Commit>,
    ) -> PortResult<()> {
        let zero = "0".repeat(new.0.len());
        let old = old.map_or(Ok(zero.as_str()), checked)?;
        let args = [name, checked(new)?, old];
        let answer = self.patiently(|| self.call(project, "update-ref").args(args)).await?;
        if answer.code != 0 && answer.stderr.contains("cannot lock ref") {
            return Err(PortError::Conflict(format!("{name} was moved by someone else; read it again")));
        }
        answer.good()?;
        Ok(())
    }

    /// Deletes the ref `name`, whatever it points at.
    ///
    /// # Errors
    /// When git cannot.
    pub async fn drop_ref(&self, project: &ProjectId, name: &str) -> PortResult<()> {
        self.patiently(|| self.call(project, "update-ref").args(["-d", name])).await?.good()?;
        Ok(())
    }

    /// Fetches `refs` from the repository at `source`, which may be anybody's: each object is checked. For
    /// a checkout of the person's, whose old commits may not pass, `strict` is off.
    ///
    /// # Errors
    /// [`GitError`] when the fetch could not be made at all.
    pub async fn fetch(
        &self,
        project: &ProjectId,
        source: impl AsRef<OsStr>,
        refs: &[&str],
        strict: bool,
    ) -> Result<Answer, GitError> {
        let fetch = || {
            let call = self
                .call(project, "fetch")
                .setting("fetch.fsckObjects", if strict { "true" } else { "false" });
            let call = call.args(["--quiet", "--no-tags", "--prune", "--no-write-fetch-head"]);
            let call = call.env("GIT_ALLOW_PROTOCOL", "file:https:ssh").arg("--no-auto-maintenance");
            call.arg("--").arg(source.as_ref()).args(refs)
        };
        self.patiently(fetch).await
    }
}
