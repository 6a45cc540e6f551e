//! A shared repository in a folder of this machine.

use super::shared::{From, Move, Shared};
use super::{GitForge, Place, remote};
use crate::command::Answer;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::ProjectId;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where the repository of `project` is.
pub(super) fn path(folder: &Path, project: &ProjectId) -> PathBuf {
    folder.join(format!("{project}.git"))
}

/// Makes the repository if it is not there.
pub(super) async fn make(forge: &GitForge, project: &ProjectId, branch: &str) -> PortResult<()> {
    let Place::Folder(folder) = &forge.place else { return Ok(()) };
    let path = path(folder, project);
    if path.join("HEAD").is_file() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|e| PortError::failed("making the forge's folder", e))?;
    let format = forge.copies.call(project, "rev-parse").arg("--show-object-format").text().await?;
    let init = forge.copies.git().call("init").args(["--quiet", "--bare", "--template=", "-b", branch]);
    init.arg(format!("--object-format={format}")).arg(&path).run().await?;
    Ok(())
}

/// Where HEAD of a bare repository of ours points.
pub(super) fn branch(dir: &Path) -> PortResult<String> {
    let text = fs::read_to_string(dir.join("HEAD")).map_err(|e| away(dir, e))?;
    let branch = text.trim_end().strip_prefix("ref: refs/heads/");
    branch
        .map(str::to_owned)
        .ok_or_else(|| PortError::NotFound(format!("a default branch at {}", dir.display())))
}

/// Lets the repository use the objects of the node's copy, so that none need be sent; from then on git deletes none
/// of them there, whoever cleans up.
pub(super) async fn lend(shared: &Shared<'_>) -> PortResult<()> {
    if lender(shared)?.is_none() {
        return Ok(());
    }
    // Two at once would write over each other.
    let _held = shared.hold().await?;
    let Some((known, lender)) = lender(shared)? else { return Ok(()) };
    let (copies, info) = (&shared.forge.copies, shared.dir().join("objects/info"));
    let file = info.join("alternates");
    copies.call(shared.project, "config").args(["extensions.preciousObjects", "true"]).run().await?;
    let fresh = info.join(format!("alternates.{}", std::process::id()));
    let write = || {
        fs::create_dir_all(&info)?;
        let mut out = fs::File::create(&fresh)?;
        out.write_all(format!("{known}{lender}\n").as_bytes())?;
        out.sync_all()?;
        fs::rename(&fresh, &file)
    };
    write().map_err(|e| PortError::failed("writing to the forge's folder", e))
}

/// Whose objects it uses so far, and whose it is to use as well; nothing when it does.
fn lender(shared: &Shared<'_>) -> PortResult<Option<(String, String)>> {
    let (copies, dir) = (&shared.forge.copies, shared.dir());
    let known = match fs::read_to_string(dir.join("objects/info/alternates")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && dir.join("HEAD").is_file() => String::new(),
        known => known.map_err(|e| away(&dir, e))?,
    };
    let objects = copies.path(shared.project).join("objects").display().to_string();
    // Within one folder by the way from the one to the other, which stays when that folder is moved.
    let way = format!("../../../projects/{}.git/objects", shared.project);
    let lender = if dir.starts_with(copies.layout().forge()) { way } else { objects };
    let lent = known.lines().any(|line| line == lender);
    Ok((!lent).then_some((known, lender)))
}

/// Moves references in one transaction.
pub(super) async fn set(shared: &Shared<'_>, moves: &[Move]) -> PortResult<()> {
    let (copies, dir) = (&shared.forge.copies, shared.dir());
    let text: String = moves.iter().map(line).collect();
    let update = || copies.git().bare(&dir, "update-ref").arg("--stdin").input(text.as_str());
    let answer = copies.patiently(update).await?;
    if lost_race(&answer) {
        let text = format!("{} has moved on meanwhile; try again", dir.display());
        return Err(PortError::Conflict(text));
    }
    remote::reached(answer, &dir.to_string_lossy()).map(drop)
}

fn line(next: &Move) -> String {
    let Move { name, new, from } = next;
    match from {
        From::Anywhere => format!("update {name} {new}\n"),
        From::Nowhere => format!("create {name} {new}\n"),
        From::At(old) => format!("update {name} {new} {old}\n"),
    }
}

/// Whether a reference was not where it had to be.
fn lost_race(answer: &Answer) -> bool {
    let why = ["but expected", "reference already exists", "unable to resolve reference"];
    answer.code != 0
        && answer.stderr.contains("cannot lock ref")
        && why.iter().any(|why| answer.stderr.contains(why))
}

fn away(dir: &Path, error: io::Error) -> PortError {
    PortError::unavailable(format!("the repository {}", dir.display()), error)
}
