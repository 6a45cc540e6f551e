//! The Workspaces port: one bare copy per project, one throw-away clone per attempt and epoch.

use crate::copies::Copies;
use crate::create::{self, begun_with};
use crate::hostile::{self, Folder};
use crate::names;
use crate::view::View;
use crate::{collect, import, salvage};
use async_trait::async_trait;
use ikigai_ports::workspace::{Change, Commit, Saved};
use ikigai_ports::{PortError, PortResult, Signer, Workspaces};
use ikigai_types::{Fence, ProjectId};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Most entries of a workspace that are counted.
const ENTRIES: usize = 5_000_000;

/// Workspaces made with the `git` program.
#[derive(Debug, Clone)]
pub struct GitWorkspaces {
    copies: Copies,
    view: View,
    uid: u32,
}

impl GitWorkspaces {
    /// Workspaces under `folder`, owned by user and group `uid` when this process may give them away.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn new(folder: PathBuf, uid: u32) -> PortResult<Self> {
        let copies = Copies::open(&folder)?;
        sweep(&copies);
        Ok(Self { copies, view: View::default(), uid })
    }

    /// The same, with another rule about which files an agent never sees.
    #[must_use]
    pub fn with_view(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// The bare copies, which forges push from.
    pub fn copies(&self) -> &Copies {
        &self.copies
    }
}

#[async_trait]
impl Workspaces for GitWorkspaces {
    async fn import(&self, project: &ProjectId, source: &Path, branch: Option<&str>) -> PortResult<Commit> {
        import::import(&self.copies, project, source, branch).await
    }

    async fn create(&self, project: &ProjectId, fence: &Fence, base: &Commit) -> PortResult<PathBuf> {
        create::create(&self.copies, &self.view, self.uid, project, fence, base).await
    }

    async fn collect(
        &self,
        project: &ProjectId,
        fence: &Fence,
        base: &Commit,
        signer: &dyn Signer,
    ) -> PortResult<Option<Change>> {
        collect::collect(&self.copies, project, fence, base, signer).await
    }

    async fn salvage(&self, project: &ProjectId, fence: &Fence, base: &Commit) -> PortResult<Option<Saved>> {
        salvage::salvage(&self.copies, &self.view, project, fence, base).await
    }

    async fn remove(&self, fence: &Fence) -> PortResult<()> {
        let (copies, fence) = (self.copies.clone(), fence.clone());
        let failed = |e: io::Error| PortError::failed("deleting a workspace", e);
        blocking(move || remove(&copies, &fence)).await?.map_err(failed)
    }

    async fn diff(&self, project: &ProjectId, change: &Change) -> PortResult<String> {
        collect::diff(&self.copies, project, change).await
    }

    async fn list(&self) -> PortResult<Vec<Fence>> {
        let folder = self.copies.layout().workspaces();
        blocking(move || list(&folder)).await?.map_err(|e| PortError::failed("listing workspaces", e))
    }

    async fn usage(&self, fence: &Fence) -> PortResult<u64> {
        let path = self.copies.layout().workspace(fence);
        let missing = PortError::NotFound(format!("workspace of {fence}"));
        let sum = blocking(move || Folder::open(&path).map(|f| hostile::usage(&f, &mut { ENTRIES }))).await?;
        sum.map_err(|_| missing)
    }
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> PortResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| PortError::failed("working on files", e))
}

fn list(folder: &Path) -> io::Result<Vec<Fence>> {
    let mut fences = Vec::new();
    for task in fs::read_dir(folder)? {
        let task = task?;
        let Ok(entries) = fs::read_dir(task.path()) else { continue };
        for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())) {
            let (task, part) = (task.file_name(), entry.file_name());
            let fence = task.to_str().zip(part.to_str()).and_then(|(t, p)| names::read_workspace_part(t, p));
            fences.extend(fence);
        }
    }
    fences.sort_by(|a, b| (&a.attempt, a.epoch).cmp(&(&b.attempt, b.epoch)));
    Ok(fences)
}

/// Moves the workspace aside first: what a crash leaves half deleted is never taken for a workspace.
fn remove(copies: &Copies, fence: &Fence) -> io::Result<()> {
    let path = copies.layout().workspace(fence);
    let aside = copies.layout().trash().join(copies.scratch("x").file_name().unwrap_or_default());
    match fs::rename(&path, &aside) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
        Ok(()) => delete(&aside)?,
    }
    let _ = fs::remove_file(begun_with(&path));
    if let Some(task) = path.parent() {
        // Fails when another attempt of the task has a workspace, as it should.
        let _ = fs::remove_dir(task);
    }
    Ok(())
}

/// Deletes a folder a hostile program filled: links are deleted, not followed; closed folders are opened.
fn delete(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes every folder under `path` readable for its owner again.
fn open_up(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)?.flatten() {
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Clears what an earlier process was making or deleting when it ended.
fn sweep(copies: &Copies) {
    for folder in [copies.layout().staging(), copies.layout().trash()] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let gone =
                if entry.path().is_dir() { delete(&entry.path()) } else { fs::remove_file(entry.path()) };
            if let Err(error) = gone {
                tracing::warn!(%error, path = %entry.path().display(), "cannot clear what an earlier run left");
            }
        }
    }
    for task in fs::read_dir(copies.layout().workspaces()).into_iter().flatten().flatten() {
        sweep_task(&task.path());
    }
}

/// Clears the lists of packs whose workspace was not yet there, or not there any more.
fn sweep_task(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let list = entry.path();
        let workspace = list.with_extension("");
        if begun_with(&workspace) == list && !workspace.exists() {
            let _ = fs::remove_file(&list);
        }
    }
    // Fails when there is a workspace, as it should.
    let _ = fs::remove_dir(folder);
}
