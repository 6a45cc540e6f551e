//! Makes a workspace: a clone at one commit, without the files an agent must not see.

use crate::commit::checked;
use crate::copies::Copies;
use crate::names::{self, Layout};
use crate::view::View;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Fence, ProjectId};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

/// The agent's own settings. `withheld` is no remote: git then takes objects that are not there (the
/// contents of hidden files) as kept elsewhere, and says so when asked for one.
const AGENT_CONFIG: &str = "\
[core]
	repositoryformatversion = 0
	filemode = true
	bare = false
	logallrefupdates = true
	sparseCheckout = true
	sparseCheckoutCone = false
[extensions]
	partialClone = withheld
[user]
	name = Ikigai agent
	email = agent@ikigai.invalid
[gc]
	auto = 0
[advice]
	detachedHead = false
	updateSparsePath = false
";

/// Makes the workspace of `fence` at `base`; the one that is there already is answered as it is.
pub(crate) async fn create(
    copies: &Copies,
    view: &View,
    uid: u32,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
) -> PortResult<PathBuf> {
    checked(base)?;
    let home = copies.layout().workspace(fence);
    if home.is_dir() {
        return Ok(home);
    }
    copies.existing(project)?;
    if copies.resolve(project, &base.0).await?.is_none() {
        return Err(PortError::NotFound(format!("commit {base} in project {project}")));
    }
    let fresh = copies.scratch("workspace");
    let made = fill(copies, view, project, fence, base, &fresh).await;
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&fresh);
        return Err(error);
    }
    let (target, layout) = (home.clone(), copies.layout().clone());
    let pack = pack_names(&fresh);
    let place = move || {
        hand_over(&fresh, uid)?;
        settle(&layout, &fresh, &target, &pack)
    };
    tokio::task::spawn_blocking(place)
        .await
        .map_err(|e| PortError::failed("making a workspace", e))?
        .map_err(|e| PortError::failed("making a workspace", e))?;
    Ok(home)
}

/// Clones and checks out into `dir`; everything here is still ours.
async fn fill(
    copies: &Copies,
    view: &View,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
    dir: &Path,
) -> PortResult<()> {
    let git = copies.git();
    let branch = names::branch(&fence.attempt.task);
    let inner = dir.join(".git");
    let format = copies.call(project, "rev-parse").arg("--show-object-format").text().await?;
    let init = git.call("init").args(["--quiet", "--template=", "-b", &branch]);
    init.arg(format!("--object-format={format}")).arg(dir).run().await?;
    let settings = || -> io::Result<()> {
        fs::create_dir_all(inner.join("info"))?;
        fs::write(inner.join("info/sparse-checkout"), view.patterns())?;
        let own = fs::read_to_string(inner.join("config"))?;
        let extension = own.split_once("objectformat").map(|_| "\tobjectformat = sha256\n");
        let config = match extension {
            Some(line) => AGENT_CONFIG
                .replace("repositoryformatversion = 0", "repositoryformatversion = 1")
                .replace("[extensions]\n", &format!("[extensions]\n{line}")),
            None => AGENT_CONFIG.to_owned(),
        };
        fs::write(inner.join("config"), config)
    };
    settings().map_err(|e| PortError::failed("writing a workspace's settings", e))?;
    let rule =
        copies.call(project, "hash-object").args(["-w", "--stdin"]).input(view.patterns()).text().await?;
    let pack =
        copies.call(project, "pack-objects").args(["--revs", "--stdout", "--quiet", "--delta-base-offset"]);
    let pack = pack.arg(format!("--filter=sparse:oid={rule}")).input(format!("{base}\n"));
    let index = git.bare(&inner, "index-pack").args(["--stdin", "--promisor=withheld"]);
    pack.pipe(index).await?;
    git.bare(&inner, "update-ref").args([&format!("refs/heads/{branch}"), &base.0]).run().await?;
    git.work(&inner, dir, "read-tree").args(["-m", "-u", "HEAD"]).run().await?;
    Ok(())
}

/// Names of the packs the clone began with: they need not be read again when results are collected.
fn pack_names(dir: &Path) -> String {
    let names = fs::read_dir(dir.join(".git/objects/pack")).into_iter().flatten().flatten();
    let packs = names.filter_map(|e| e.file_name().into_string().ok()).filter(|n| n.ends_with(".pack"));
    packs.collect::<Vec<_>>().join("\n")
}

/// Moves the finished workspace into its place.
fn settle(layout: &Layout, fresh: &Path, target: &Path, packs: &str) -> io::Result<()> {
    let folder = target.parent().unwrap_or(target);
    fs::create_dir_all(folder)?;
    fs::write(begun_with(layout, target), packs)?;
    match fs::rename(fresh, target) {
        // Another call was first: its workspace is as good.
        Err(_) if target.is_dir() => fs::remove_dir_all(fresh),
        other => other,
    }
}

/// The file beside a workspace that lists the packs it began with.
pub(crate) fn begun_with(_layout: &Layout, workspace: &Path) -> PathBuf {
    workspace.with_extension("packs")
}

/// Gives everything under `dir` to the workload user, if this process may.
fn hand_over(dir: &Path, uid: u32) -> io::Result<()> {
    if fs::symlink_metadata(dir)?.uid() == uid || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                lchown(entry.path(), Some(uid), Some(uid))?;
            }
        }
        lchown(&folder, Some(uid), Some(uid))?;
    }
    Ok(())
}
