//! A shared repository elsewhere, by push and fetch.

use super::record::{FETCHED, SHARED};
use super::shared::{From, HEADS, Move, Shared};
use super::{GitForge, Place, folder};
use crate::command::{Answer, Call};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::ProjectId;

/// The shared repository of `project`, as git names it.
pub(super) fn url(forge: &GitForge, project: &ProjectId) -> String {
    match &forge.place {
        Place::Folder(folder) => folder::path(folder, project).to_string_lossy().into_owned(),
        Place::Remote(url) => url.clone(),
    }
}

fn call(forge: &GitForge, project: &ProjectId, verb: &str) -> Call {
    forge.copies.call(project, verb).env("GIT_ALLOW_PROTOCOL", "file:https:ssh")
}

/// The default branch: where HEAD of the shared repository points.
pub(super) async fn branch(forge: &GitForge, project: &ProjectId) -> PortResult<String> {
    if let Place::Folder(folder) = &forge.place {
        return folder::branch(&folder::path(folder, project));
    }
    let url = url(forge, project);
    let answer = call(forge, project, "ls-remote").args(["--symref", "--", &url, "HEAD"]).answer().await?;
    let text = String::from_utf8(reached(answer, &url)?).unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
    let found = found.ok_or_else(|| PortError::NotFound(format!("a default branch at {url}")))?;
    Ok(found.to_owned())
}

/// Fetches the shared branches and records.
pub(super) async fn fetch(shared: &Shared<'_>) -> PortResult<()> {
    let url = shared.url();
    let refs = [&*format!("+refs/heads/*:{HEADS}*"), &*format!("+{SHARED}*:{FETCHED}*")];
    let answer = shared.forge.copies.fetch(shared.project, &url, &refs, true).await?;
    reached(answer, &url).map(drop)
}

/// Pushes all of `moves` or none; [`PortError::Conflict`] when one of them has moved.
pub(super) async fn push(shared: &Shared<'_>, moves: &[Move]) -> PortResult<()> {
    let (forge, url) = (shared.forge, shared.url());
    let refs: Vec<String> = moves.iter().map(spec).collect();
    let push = || {
        let push = call(forge, shared.project, "push").args(["--quiet", "--atomic", "--no-verify", "--"]);
        push.arg(&url).args(&refs)
    };
    let answer = forge.copies.patiently(push).await?;
    if answer.code != 0 && answer.stderr.contains("[rejected]") {
        let text = format!("{url} has moved on meanwhile ({}); try again", refs.join(", "));
        return Err(PortError::Conflict(text));
    }
    reached(answer, &url).map(drop)
}

/// What git is told to push: whatever is new goes on from where the reference was.
fn spec(next: &Move) -> String {
    let force = if matches!(next.from, From::Anywhere) { "+" } else { "" };
    format!("{force}{}:{}", next.new, next.name)
}

/// What git answered, or that the repository is away.
pub(super) fn reached(answer: Answer, url: &str) -> PortResult<Vec<u8>> {
    answer.good().map_err(|error| PortError::unavailable(format!("the repository {url}"), error))
}
