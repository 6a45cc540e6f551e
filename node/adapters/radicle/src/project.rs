//! A project's repository on Radicle: made from the node's own copy, so that the person's checkout is not
//! touched at all (not even by a remote, which only a machine with Radicle's programs could use).

use crate::forge::RadicleForge;
use crate::home::replace;
use crate::signer::nid;
use ikigai_ports::forge::ForgeProject;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::ProjectId;
use std::path::Path;

/// The project's id and branch there, if it has them.
pub(crate) fn known(forge: &RadicleForge, project: &ProjectId) -> Option<ForgeProject> {
    let text = std::fs::read_to_string(forge.home.note("projects", project.as_str())).ok()?;
    let known: ForgeProject = serde_json::from_str(&text).ok()?;
    forge.home.storage(&known.id).is_dir().then_some(known)
}

/// The same, or an error that says what is missing.
pub(crate) fn get(forge: &RadicleForge, project: &ProjectId) -> PortResult<ForgeProject> {
    known(forge, project)
        .ok_or_else(|| PortError::NotFound(format!("a Radicle repository of project {project}")))
}

/// Makes the repository, or finds the one that was made before.
pub(crate) async fn adopt(
    forge: &RadicleForge,
    project: &ProjectId,
    checkout: &Path,
) -> PortResult<ForgeProject> {
    let branch = forge.copies.branch_of(checkout).await?;
    let found = match existing(forge, checkout).await? {
        Some(id) => ForgeProject { id, branch },
        None => init(forge, project, checkout, branch).await?,
    };
    let note = serde_json::to_vec(&found).map_err(|e| PortError::failed("noting a project", e))?;
    replace(&forge.home.note("projects", project.as_str()), &note, 0o600)
        .map_err(|e| PortError::failed("noting a project", e))?;
    Ok(found)
}

/// The repository the checkout says it is of, if this node may merge into that.
async fn existing(forge: &RadicleForge, checkout: &Path) -> PortResult<Option<String>> {
    let ask = forge.copies.git().call("-C").arg(checkout).args(["config", "--get", "remote.rad.url"]);
    let url = String::from_utf8_lossy(&ask.answer().await?.stdout).trim().to_owned();
    let Some(id) = url.strip_prefix("rad://") else { return Ok(None) };
    let rid = format!("rad:{}", id.split('/').next().unwrap_or(id));
    let own = format!("did:key:{}", nid(&forge.node));
    // A repository that is not here yet has none that this node knows of.
    if delegates(forge, &rid).await.unwrap_or_default().contains(&nid(&forge.node)) {
        return Ok(Some(rid));
    }
    Err(PortError::Refused(format!(
        "the checkout is of {rid}, of which this node is no delegate: let one of its delegates run \
         rad id update --delegate {own} and let this node seed it, or remove the remote `rad`"
    )))
}

/// Who may merge into `rid`, as `z6Mk…`.
pub(crate) async fn delegates(forge: &RadicleForge, rid: &str) -> PortResult<Vec<String>> {
    let text = forge.programs.rad("inspect").args(["--delegates", rid]).text().await?;
    let keys =
        text.lines().filter_map(|line| line.trim().strip_prefix("did:key:")?.split_whitespace().next());
    Ok(keys.map(str::to_owned).collect())
}

/// `rad init` in a throw-away bare clone of the node's copy.
async fn init(
    forge: &RadicleForge,
    project: &ProjectId,
    checkout: &Path,
    branch: String,
) -> PortResult<ForgeProject> {
    let copy = forge.copies.existing(project)?;
    let scratch = forge.home.note("scratch", &format!("{project}.git"));
    let _ = std::fs::remove_dir_all(&scratch);
    let git = forge.copies.git();
    git.call("init").args(["--quiet", "--bare", "--template=", "-b", &branch]).arg(&scratch).run().await?;
    let fetch = git.bare(&scratch, "fetch").args(["--quiet", "--no-tags", "--no-write-fetch-head"]);
    fetch.arg(&copy).arg(format!("refs/heads/{branch}:refs/heads/{branch}")).run().await?;
    let name = name(checkout, project);
    // The same words make the same id: a start that was cut short finds what it made.
    let description = format!("{name}, worked on with Ikigai (project {project})");
    let call = forge.programs.rad("init").args(["--name", &name, "--description", &description]);
    let call = call.args(["--default-branch", &branch, "--public", "--no-confirm", "--no-seed"]);
    // Seeding is left to the running node: until it has started once, its database is not whole.
    let answer = call.arg(&scratch).answer().await?;
    let id = if answer.code == 0 {
        forge.programs.rad("inspect").arg("--rid").arg(&scratch).text().await?
    } else if let Some(id) = made_before(&answer.complaint(), forge) {
        id
    } else {
        return Err(answer.good().expect_err("invariant: the code is not 0").into());
    };
    let _ = std::fs::remove_dir_all(&scratch);
    if !id.starts_with("rad:z") {
        return Err(PortError::Corrupt(format!("the id of a new Radicle repository ({id:?})")));
    }
    Ok(ForgeProject { id, branch })
}

/// The id of the repository that is in the way of a new one.
fn made_before(complaint: &str, forge: &RadicleForge) -> Option<String> {
    let path = complaint.split_once("reinitialize '")?.1.split('\'').next()?;
    let id = Path::new(path).strip_prefix(forge.home.storage("")).ok()?.to_str()?;
    Some(format!("rad:{id}"))
}

/// A name Radicle takes, from the checkout's folder.
fn name(checkout: &Path, project: &ProjectId) -> String {
    let folder = checkout.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = folder.chars().map(plain).take(64).collect();
    let name = name.trim_matches(['-', '.', '_']);
    if name.is_empty() { format!("project-{project}") } else { name.to_owned() }
}
