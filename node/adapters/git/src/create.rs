//! Makes a workspace: a clone at one commit, without the files an agent must not see.

use crate::commit::{checked, is_object_id};
use crate::copies::Copies;
use crate::names;
use crate::turns;
use crate::view::View;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Fence, ProjectId};
use std::collections::HashSet;
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

/// Most commits of history an agent is given: enough to read, and a bound on what a start costs.
const COMMITS: usize = 1000;

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
    let _room = turns::to_move().await;
    let history = History::of(copies, project, base).await?;
    let fresh = copies.scratch("workspace");
    let made = fill(copies, view, project, fence, base, &history, &fresh).await;
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&fresh);
        return Err(error);
    }
    let target = home.clone();
    let place = move || {
        hand_over(&fresh, uid)?;
        settle(&fresh, &target)
    };
    crate::workspaces::blocking(place).await?.map_err(|e| PortError::failed("making a workspace", e))?;
    Ok(home)
}

/// Clones and checks out into `dir`; everything here is still ours.
async fn fill(
    copies: &Copies,
    view: &View,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
    history: &History,
    dir: &Path,
) -> PortResult<()> {
    let inner = dir.join(".git");
    let branch = names::branch(&fence.attempt.task);
    lay_out(&inner, &branch, base, view, history)
        .map_err(|e| PortError::failed("laying out a workspace", e))?;
    let rule = rule(copies, project, view).await?;
    let pack =
        copies.call(project, "pack-objects").args(["--revs", "--stdout", "--quiet", "--delta-base-offset"]);
    let pack = pack.arg(format!("--filter=sparse:oid={rule}")).input(history.wanted(base));
    let index = copies.git().bare(&inner, "index-pack").args(["--stdin", "--promisor=withheld"]);
    pack.pipe(index).await?;
    copies.git().work(&inner, dir, "read-tree").args(["-m", "-u", "HEAD"]).run().await?;
    Ok(())
}

/// What `git init` would make, by hand: a start of git less on the way to an agent's first word.
fn lay_out(inner: &Path, branch: &str, base: &Commit, view: &View, history: &History) -> io::Result<()> {
    for folder in ["info", "objects/info", "objects/pack", "refs/heads/ikigai", "refs/tags"] {
        fs::create_dir_all(inner.join(folder))?;
    }
    fs::write(inner.join("HEAD"), format!("ref: refs/heads/{branch}\n"))?;
    fs::write(inner.join("refs/heads").join(branch), format!("{base}\n"))?;
    fs::write(inner.join("info/sparse-checkout"), view.patterns())?;
    let config = match base.0.len() {
        64 => AGENT_CONFIG
            .replace("repositoryformatversion = 0", "repositoryformatversion = 1")
            .replace("[extensions]\n", "[extensions]\n\tobjectFormat = sha256\n"),
        _ => AGENT_CONFIG.to_owned(),
    };
    fs::write(inner.join("config"), config)?;
    if !history.ends.is_empty() {
        fs::write(inner.join("shallow"), history.ends.join("\n") + "\n")?;
    }
    Ok(())
}

/// How far back the clone knows what was before.
struct History {
    /// Commits whose parents are not in it; none when it is whole.
    ends: Vec<String>,
}

impl History {
    /// The newest [`COMMITS`] commits up to `base`.
    async fn of(copies: &Copies, project: &ProjectId, base: &Commit) -> PortResult<Self> {
        let list = copies.call(project, "rev-list").args(["--topo-order", "--parents"]);
        let answer = list.arg(format!("--max-count={}", COMMITS + 1)).arg(&base.0).answer().await?;
        if answer.code == 128 {
            return Err(PortError::NotFound(format!("commit {base} in project {project}")));
        }
        let text = String::from_utf8_lossy(&answer.good()?).into_owned();
        let lines: Vec<Vec<&str>> =
            text.lines().take(COMMITS).map(|line| line.split(' ').collect()).collect();
        let inside: HashSet<&str> = lines.iter().map(|line| line[0]).collect();
        let cut = lines.iter().filter(|line| line[1..].iter().any(|parent| !inside.contains(parent)));
        Ok(Self { ends: cut.map(|line| line[0].to_owned()).collect() })
    }

    /// What `pack-objects` is to pack.
    fn wanted(&self, base: &Commit) -> String {
        let mut text: String = self.ends.iter().map(|end| format!("--shallow {end}\n")).collect();
        text.push_str(&format!("{base}\n"));
        text
    }
}

/// The view's rule as an object of the copy, written there once.
async fn rule(copies: &Copies, project: &ProjectId, view: &View) -> PortResult<String> {
    let (patterns, note) = (view.patterns(), copies.path(project).join("ikigai-view"));
    let noted = fs::read_to_string(&note).unwrap_or_default();
    if let Some((id, of)) = noted.split_once('\n')
        && of == patterns
        && is_object_id(id)
    {
        return Ok(id.to_owned());
    }
    let id =
        copies.call(project, "hash-object").args(["-w", "--stdin"]).input(patterns.as_str()).text().await?;
    let fresh = copies.scratch("view");
    let written = fs::write(&fresh, format!("{id}\n{patterns}")).and_then(|()| fs::rename(&fresh, &note));
    written.map_err(|e| PortError::failed("noting the view of a project", e))?;
    Ok(id)
}

/// Names of the packs the clone began with: they need not be read again when results are collected.
fn pack_names(dir: &Path) -> String {
    let names = fs::read_dir(dir.join(".git/objects/pack")).into_iter().flatten().flatten();
    let packs = names.filter_map(|e| e.file_name().into_string().ok()).filter(|n| n.ends_with(".pack"));
    packs.collect::<Vec<_>>().join("\n")
}

/// Moves the finished workspace into its place.
fn settle(fresh: &Path, target: &Path) -> io::Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(begun_with(target), pack_names(fresh))?;
    match fs::rename(fresh, target) {
        // Another call was first: its workspace is as good.
        Err(_) if target.is_dir() => fs::remove_dir_all(fresh),
        other => other,
    }
}

/// The file beside a workspace that lists the packs it began with.
pub(crate) fn begun_with(workspace: &Path) -> PathBuf {
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
