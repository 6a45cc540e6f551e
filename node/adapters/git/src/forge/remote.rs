//! Push to and fetch from the shared repository.

use super::record::{FETCHED, SHARED};
use super::{GitForge, Place};
use crate::command::{Answer, Call};
use crate::copies::Standing;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Commit, ProjectId};

/// Where the node's copy keeps what it fetched of the shared branches.
const HEADS: &str = "refs/ikigai/forge/heads/";

/// The shared repository of `project`, as git names it.
pub(super) fn url(forge: &GitForge, project: &ProjectId) -> String {
    match &forge.place {
        Place::Folder(folder) => folder.join(format!("{project}.git")).to_string_lossy().into_owned(),
        Place::Remote(url) => url.clone(),
    }
}

fn call(forge: &GitForge, project: &ProjectId, verb: &str) -> Call {
    forge.copies.call(project, verb).env("GIT_ALLOW_PROTOCOL", "file:https:ssh")
}

/// Makes the repository if the place allows that; answers its default branch, `wanted` when it has none.
pub(super) async fn make(forge: &GitForge, project: &ProjectId, wanted: &str) -> PortResult<String> {
    if let Place::Folder(folder) = &forge.place {
        let path = folder.join(format!("{project}.git"));
        if !path.join("HEAD").is_file() {
            std::fs::create_dir_all(folder).map_err(|e| PortError::failed("making the forge's folder", e))?;
            let format = forge.copies.call(project, "rev-parse").arg("--show-object-format").text().await?;
            let init =
                forge.copies.git().call("init").args(["--quiet", "--bare", "--template=", "-b", wanted]);
            init.arg(format!("--object-format={format}")).arg(&path).run().await?;
        }
    }
    match branch(forge, project).await {
        Err(PortError::NotFound(_)) => Ok(wanted.to_owned()),
        other => other,
    }
}

/// The default branch: where HEAD of the shared repository points.
pub(super) async fn branch(forge: &GitForge, project: &ProjectId) -> PortResult<String> {
    let url = url(forge, project);
    if let Place::Folder(_) = &forge.place {
        let head = forge.copies.git().bare(std::path::Path::new(&url), "symbolic-ref");
        return Ok(head.args(["--short", "HEAD"]).text().await?);
    }
    let answer = call(forge, project, "ls-remote").args(["--symref", "--", &url, "HEAD"]).answer().await?;
    let text = String::from_utf8(reached(answer, &url)?).unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
    let found = found.ok_or_else(|| PortError::NotFound(format!("a default branch at {url}")))?;
    Ok(found.to_owned())
}

/// Fetches the shared branches and records.
pub(super) async fn sync(forge: &GitForge, project: &ProjectId) -> PortResult<()> {
    forge.copies.existing(project)?;
    let url = url(forge, project);
    let refs = [&*format!("+refs/heads/*:{HEADS}*"), &*format!("+{SHARED}*:{FETCHED}*")];
    let answer = forge.copies.fetch(project, &url, &refs, true).await?;
    reached(answer, &url).map(drop)
}

/// Pushes all of `refs` or none; [`PortError::Conflict`] when one of them has moved.
pub(super) async fn push(forge: &GitForge, project: &ProjectId, refs: &[String]) -> PortResult<()> {
    let url = url(forge, project);
    let push =
        || call(forge, project, "push").args(["--quiet", "--atomic", "--no-verify", "--", &url]).args(refs);
    let answer = forge.copies.patiently(push).await?;
    if answer.code != 0 && answer.stderr.contains("[rejected]") {
        let text = format!("{url} has moved on meanwhile ({}); try again", refs.join(", "));
        return Err(PortError::Conflict(text));
    }
    reached(answer, &url).map(drop)
}

/// Where a shared branch is, as of the last sync.
pub(super) async fn tip(forge: &GitForge, project: &ProjectId, branch: &str) -> PortResult<Option<Commit>> {
    forge.copies.resolve(project, &format!("{HEADS}{branch}")).await
}

/// Brings whichever of the shared branch and the copy's is behind up to the other.
pub(super) async fn forward(
    forge: &GitForge,
    project: &ProjectId,
    branch: &str,
    theirs: &Commit,
    ours: &Commit,
) -> PortResult<()> {
    match forge.copies.standing(project, ours, theirs).await? {
        Standing::Same => Ok(()),
        Standing::Behind => {
            forge.copies.set_ref(project, &format!("refs/heads/{branch}"), theirs, Some(ours)).await
        }
        Standing::Ahead => push(forge, project, &[format!("{ours}:refs/heads/{branch}")]).await,
        Standing::Apart => Err(PortError::Refused(format!(
            "branch `{branch}` here and at {0} have each gone on; in the checkout run: \
             git pull --no-rebase {0} {branch}, then try again",
            url(forge, project)
        ))),
    }
}

/// Where the default branch is once the copy and the shared repository agree.
pub(super) async fn ours(forge: &GitForge, project: &ProjectId, branch: &str) -> PortResult<Commit> {
    let name = format!("refs/heads/{branch}");
    if let (Some(theirs), Some(ours)) =
        (tip(forge, project, branch).await?, forge.copies.resolve(project, &name).await?)
    {
        forward(forge, project, branch, &theirs, &ours).await?;
    }
    let ours = forge.copies.resolve(project, &name).await?;
    ours.ok_or_else(|| PortError::NotFound(format!("branch `{branch}` in the node's copy")))
}

/// Moves the default branch on, there first: what is not published is not merged.
pub(super) async fn advance(
    forge: &GitForge,
    project: &ProjectId,
    branch: &str,
    old: &Commit,
    new: &Commit,
) -> PortResult<()> {
    let name = format!("refs/heads/{branch}");
    if forge.copies.is_ancestor(project, new, old).await? {
        return Ok(());
    }
    match push(forge, project, &[format!("{new}:{name}")]).await {
        // Somebody else was first: that says nothing of the change.
        Err(error @ PortError::Conflict(_)) => {
            return Err(PortError::unavailable("the shared branch", error));
        }
        pushed => pushed?,
    }
    forge.copies.set_ref(project, &name, new, Some(old)).await
}

/// What git answered, or that the repository is away.
fn reached(answer: Answer, url: &str) -> PortResult<Vec<u8>> {
    answer.good().map_err(|error| PortError::unavailable(format!("the repository {url}"), error))
}
