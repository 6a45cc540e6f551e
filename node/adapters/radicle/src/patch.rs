//! Patches of one repository: opened once per fence, listed, and merged by pushing the default branch.

use crate::cob::{self, Cob};
use crate::forge::RadicleForge;
use crate::home::replace;
use ikigai_git::Standing;
use ikigai_git::names::ref_part;
use ikigai_ports::forge::{ForgeProject, Patch, PatchText};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Change, Commit, Fence, PatchId, ProjectId};
use std::path::PathBuf;
use std::sync::PoisonError;

/// Longest title, in characters.
const TITLE: usize = 200;
/// Where the copy keeps the default branch as Radicle has it.
const FETCHED: &str = "refs/ikigai/forge/heads/";

/// Opens a draft patch of `change`, or finds the one that was opened for `fence`.
pub(crate) async fn open(
    forge: &RadicleForge,
    project: &ProjectId,
    known: &ForgeProject,
    fence: &Fence,
    change: &Change,
    text: &PatchText,
) -> PortResult<PatchId> {
    let note = note(forge, project, fence);
    let trailer = format!("Ikigai-Attempt: {fence}");
    let opened = match std::fs::read_to_string(&note) {
        // The note says that a push was begun; only the patches themselves say whether it arrived.
        Ok(id) if id.is_empty() => find(forge, known, &trailer).await?,
        Ok(id) => Some(id),
        Err(_) => None,
    };
    let id = match opened {
        Some(id) => id,
        None => {
            remember(&note, "")?;
            push(forge, project, known, change, text, &trailer).await?
        }
    };
    let cob = cob::show(&forge.programs, &known.id, &id).await?;
    describe(forge, known, &id, &cob, text, &trailer).await?;
    remember(&note, &id)?;
    PatchId::new(id).map_err(|_| PortError::Corrupt("the id of a new patch".to_owned()))
}

fn note(forge: &RadicleForge, project: &ProjectId, fence: &Fence) -> PathBuf {
    let name = format!("{}-{}-{}", ref_part(fence.attempt.task.as_str()), fence.attempt.number, fence.epoch);
    forge.home.note("patches", project.as_str()).join(name)
}

fn remember(note: &std::path::Path, id: &str) -> PortResult<()> {
    if let Some(folder) = note.parent() {
        std::fs::create_dir_all(folder).map_err(|e| PortError::failed("noting a patch", e))?;
    }
    replace(note, id.as_bytes(), 0o600).map_err(|e| PortError::failed("noting a patch", e))
}

/// The patch whose description ends with `trailer`.
async fn find(forge: &RadicleForge, known: &ForgeProject, trailer: &str) -> PortResult<Option<String>> {
    let storage = forge.home.storage(&known.id);
    for id in cob::tips(forge.copies.git(), &storage).await?.into_keys() {
        let cob = cob::show(&forge.programs, &known.id, &id).await?;
        if cob.description().lines().any(|line| line == trailer) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Pushes the head as a new draft; answers the patch's id.
async fn push(
    forge: &RadicleForge,
    project: &ProjectId,
    known: &ForgeProject,
    change: &Change,
    text: &PatchText,
    trailer: &str,
) -> PortResult<String> {
    // Push options know no quotes, line ends or other scripts; the real text follows as an edit.
    let plain = |c: &char| c.is_ascii_alphanumeric() || " .,:;()+-_/".contains(*c);
    let title: String = title(text).chars().filter(plain).collect();
    let title = if title.trim().is_empty() { "a change" } else { title.trim() };
    let call = forge.programs.git(&forge.copies.path(project), "push");
    let call =
        call.args(["-o", "no-sync", "-o", "patch.draft", "-o", &format!("patch.base={}", change.base)]);
    let call =
        call.args(["-o", &format!("patch.message={title}"), "-o", &format!("patch.message={trailer}")]);
    let answer =
        call.args([&remote(forge, known), &format!("{}:refs/patches", change.head)]).answer().await?;
    let said = answer.stderr.clone();
    if answer.code != 0 && said.contains("already included in the base branch") {
        return Err(PortError::Refused(format!("{} is in the default branch already", change.head)));
    }
    answer.good()?;
    let id = said.split_once("Patch ").and_then(|(_, rest)| rest.split(' ').next());
    id.map(str::to_owned).ok_or_else(|| PortError::Corrupt(format!("the answer to a push ({said:?})")))
}

/// Gives the patch its whole text where that differs from what it says.
async fn describe(
    forge: &RadicleForge,
    known: &ForgeProject,
    id: &str,
    cob: &Cob,
    text: &PatchText,
    trailer: &str,
) -> PortResult<()> {
    let title = title(text);
    let body = text.body.replace(['\0', '\r'], "");
    let description = format!("{}\n\n{trailer}", body.trim()).trim().to_owned();
    if cob.title == title && cob.description().trim() == description {
        return Ok(());
    }
    let call = forge.programs.rad("patch").args(["edit", "--no-announce", "--repo", &known.id, id]);
    call.arg(format!("--message={title}")).arg(format!("--message={description}")).run().await?;
    Ok(())
}

/// The title as one line.
fn title(text: &PatchText) -> String {
    let words: Vec<&str> =
        text.title.split(|c: char| c.is_control() || c == ' ').filter(|w| !w.is_empty()).collect();
    let title: String = words.join(" ").chars().take(TITLE).collect();
    if title.is_empty() { "a change".to_owned() } else { title }
}

/// The repository as git pushes to it, in this node's own namespace.
fn remote(forge: &RadicleForge, known: &ForgeProject) -> String {
    format!("rad://{}/{}", known.id.trim_start_matches("rad:"), forge.nid())
}

/// Where the default branch is, here and on Radicle taken together: never behind either.
pub(crate) async fn ours(
    forge: &RadicleForge,
    project: &ProjectId,
    known: &ForgeProject,
) -> PortResult<Commit> {
    let name = format!("refs/heads/{}", known.branch);
    let ours = forge.copies.resolve(project, &name).await?;
    let ours =
        ours.ok_or_else(|| PortError::NotFound(format!("branch `{}` in the node's copy", known.branch)))?;
    let Some(theirs) = published(forge, project, known).await? else { return Ok(ours) };
    match forge.copies.standing(project, &ours, &theirs).await? {
        Standing::Same | Standing::Ahead => Ok(ours),
        Standing::Behind => {
            forge.copies.set_ref(project, &name, &theirs, Some(&ours)).await?;
            Ok(theirs)
        }
        Standing::Apart => Err(PortError::Conflict(format!(
            "branch `{}` here and on Radicle have each gone on; in the checkout run: \
             git pull --rebase {} {}, then try again",
            known.branch,
            forge.home.storage(&known.id).display(),
            known.branch
        ))),
    }
}

/// The default branch as Radicle has it, brought into the copy.
async fn published(
    forge: &RadicleForge,
    project: &ProjectId,
    known: &ForgeProject,
) -> PortResult<Option<Commit>> {
    let into = format!("{FETCHED}{}", known.branch);
    let refs = format!("+refs/heads/{}:{into}", known.branch);
    let answer = forge.copies.fetch(project, forge.home.storage(&known.id), &[&refs], true).await?;
    if answer.code != 0 && answer.stderr.contains("couldn't find remote ref") {
        return Ok(None);
    }
    answer.good()?;
    forge.copies.resolve(project, &into).await
}

/// Moves the default branch on from `ours` to `new`: on Radicle first, which marks what it merges, then here.
pub(crate) async fn advance(
    forge: &RadicleForge,
    project: &ProjectId,
    known: &ForgeProject,
    ours: &Commit,
    new: &Commit,
) -> PortResult<()> {
    let theirs = forge.copies.resolve(project, &format!("{FETCHED}{}", known.branch)).await?;
    let there = match &theirs {
        Some(theirs) => forge.copies.is_ancestor(project, new, theirs).await?,
        None => false,
    };
    if !there {
        let call = forge.programs.git(&forge.copies.path(project), "push").args(["-o", "no-sync"]);
        let refs = format!("{new}:refs/heads/{}", known.branch);
        let answer = call.args([&remote(forge, known), &refs]).answer().await?;
        if answer.code != 0 && answer.stderr.contains("rejected") {
            return Err(PortError::Conflict(format!(
                "Radicle refused {new} as branch `{}`: {}",
                known.branch, answer.stderr
            )));
        }
        answer.good()?;
    }
    if forge.copies.is_ancestor(project, new, ours).await? {
        return Ok(());
    }
    forge.copies.set_ref(project, &format!("refs/heads/{}", known.branch), new, Some(ours)).await
}

/// All patches of the repository, newest first. Only those that changed since the last call are read.
pub(crate) async fn list(
    forge: &RadicleForge,
    project: &ProjectId,
    known: &ForgeProject,
) -> PortResult<Vec<Patch>> {
    let tips = cob::tips(forge.copies.git(), &forge.home.storage(&known.id)).await?;
    let main = published(forge, project, known).await?;
    let mut patches = Vec::new();
    for (id, tips) in tips {
        let key = (known.id.clone(), id.clone());
        let seen = forge.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let (time, mut patch) = match seen {
            Some((of, time, patch)) if of == tips => (time, patch),
            _ => {
                let read = cob::show(&forge.programs, &known.id, &id).await.map(|cob| cob.patch(&id));
                let Ok(Some((time, patch))) = read else {
                    // Anyone may write nonsense in their own namespace; it must not hide the others.
                    tracing::warn!(%id, "a patch cannot be read");
                    continue;
                };
                let mut all = forge.seen.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(key, (tips, time, patch.clone()));
                (time, patch)
            }
        };
        // A merge that was published but not noted is a merge all the same.
        if let (Some(main), "draft" | "open") = (&main, patch.state.as_str())
            && forge.copies.is_ancestor(project, &patch.head, main).await.unwrap_or(false)
        {
            patch.state = "merged".to_owned();
        }
        patches.push((time, patch));
    }
    patches.sort_by(|(a, p), (b, q)| b.cmp(a).then_with(|| p.id.cmp(&q.id)));
    Ok(patches.into_iter().map(|(_, patch)| patch).collect())
}
