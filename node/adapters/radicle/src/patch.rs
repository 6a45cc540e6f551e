//! Patches of one repository: one per task with a revision per fence, listed, and merged by pushing the default
//! branch.

use crate::cob::{self, Cob};
use crate::forge::RadicleForge;
use crate::home::replace;
use crate::project;
use ikigai_git::Standing;
use ikigai_git::names::ref_part;
use ikigai_ports::forge::Standing as ForgeStanding;
use ikigai_ports::forge::{ForgeProject, Mark, Note, Opened, Patch, PatchText};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Change, Commit, Fence, PatchId, ProjectId, TaskId};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// Longest title, in characters.
const TITLE: usize = 200;
/// Notes of one patch that are given the lines they are about; how many lines, and how many characters of them.
const QUOTES: (usize, usize, usize) = (50, 10, 600);
/// Greatest file that is read for that, in bytes.
const BLOB: usize = 1 << 20;
/// What the storage says when somebody else wrote between reading and writing.
const RACED: &str = "old reference value does not match";
/// Where the copy keeps the default branch as Radicle has it.
const FETCHED: &str = "refs/ikigai/forge/heads/";

/// Makes `change` a revision of the task's patch, or finds the revision that was made under `fence`.
pub(crate) async fn open(
    forge: &RadicleForge,
    project: &ProjectId,
    known: &ForgeProject,
    fence: &Fence,
    onto: Option<&PatchId>,
    change: &Change,
    text: &PatchText,
) -> PortResult<Opened> {
    let scene = Scene { forge, project, known, change, trailer: format!("Ikigai-Attempt: {fence}") };
    let note = note(forge, project, &fence.attempt.task);
    let (id, revision) = match standing(&scene, onto, &note, &fence.attempt.task).await? {
        Some(id) => {
            let number = scene.revise(&id).await?;
            (id, number)
        }
        None => {
            remember(&note, "")?;
            (scene.push(text, &task_line(&fence.attempt.task)).await?, 1)
        }
    };
    let cob = cob::show(&forge.programs, &known.id, &id).await?;
    // What the patch is about is said by its first revision, under whichever lease that was made.
    if cob.number_of(&scene.trailer) == Some(1) {
        scene.describe(&id, &cob, text, &task_line(&fence.attempt.task)).await?;
    }
    remember(&note, &id)?;
    let patch = PatchId::new(id).map_err(|_| PortError::Corrupt("the id of a new patch".to_owned()))?;
    Ok(Opened { patch, revision })
}

/// Whether Radicle's own node wrote to the storage at the same moment. What was begun is found again by another try.
pub(crate) fn raced(error: &PortError) -> bool {
    error.chain().contains(RACED)
}

/// What one change is brought to the forge with.
struct Scene<'a> {
    forge: &'a RadicleForge,
    project: &'a ProjectId,
    known: &'a ForgeProject,
    change: &'a Change,
    /// The line by which its revision is known.
    trailer: String,
}

/// The task's patch, if it has one.
async fn standing(
    scene: &Scene<'_>,
    onto: Option<&PatchId>,
    note: &Path,
    task: &TaskId,
) -> PortResult<Option<String>> {
    if let Some(onto) = onto {
        match cob::show(&scene.forge.programs, &scene.known.id, onto.as_str()).await {
            Ok(_) => return Ok(Some(onto.to_string())),
            // The node that owned the task before had another repository of the project.
            Err(PortError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    match std::fs::read_to_string(note) {
        // The note says that a push was begun; only the patches themselves say whether it arrived.
        Ok(id) if id.is_empty() => find(scene.forge, scene.known, &task_line(task)).await,
        Ok(id) => Ok(Some(id)),
        Err(_) => Ok(None),
    }
}

/// The line by which the patch of a task is known.
fn task_line(task: &TaskId) -> String {
    format!("Ikigai-Patch: {task}")
}

fn note(forge: &RadicleForge, project: &ProjectId, task: &TaskId) -> PathBuf {
    forge.home.note("patches", project.as_str()).join(ref_part(task.as_str()))
}

fn remember(note: &Path, id: &str) -> PortResult<()> {
    if let Some(folder) = note.parent() {
        std::fs::create_dir_all(folder).map_err(|e| PortError::failed("noting a patch", e))?;
    }
    replace(note, id.as_bytes(), 0o600).map_err(|e| PortError::failed("noting a patch", e))
}

/// The patch of this node whose description has the line `wanted`.
async fn find(forge: &RadicleForge, known: &ForgeProject, wanted: &str) -> PortResult<Option<String>> {
    let storage = forge.home.storage(&known.id);
    let own = format!("did:key:{}", forge.nid());
    for id in cob::tips(forge.copies.git(), &storage).await?.into_keys() {
        // Anyone may write nonsense in their own namespace, and the same line in theirs.
        let Ok(cob) = cob::show(&forge.programs, &known.id, &id).await else { continue };
        if cob.is_by(&own) && cob.description().lines().any(|line| line == wanted) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

impl Scene<'_> {
    /// Pushes the head as a new draft; answers the patch's id.
    async fn push(&self, text: &PatchText, task_line: &str) -> PortResult<String> {
        let title = title(text);
        // Push options know no quotes, line ends or other scripts; the real text follows as an edit.
        let plain = |c: &char| c.is_ascii_alphanumeric() || " .,:;()+-_/".contains(*c);
        let title: String = title.chars().filter(plain).collect();
        let title = if title.trim().is_empty() { "a change" } else { title.trim() };
        let says = [title, task_line, &self.trailer];
        let said = self.send(&["patch.draft"], &says, "refs/patches").await?;
        let id = said.split_once("Patch ").and_then(|(_, rest)| rest.split(' ').next());
        id.map(str::to_owned).ok_or_else(|| PortError::Corrupt(format!("the answer to a push ({said:?})")))
    }

    /// Pushes the head as a new revision of the patch `id`, unless it is one; answers its number.
    async fn revise(&self, id: &str) -> PortResult<u32> {
        let cob = self.read(id).await?;
        if let Some(number) = cob.number_of(&self.trailer) {
            return Ok(number);
        }
        if cob.state() == "merged" {
            return Err(PortError::Conflict(format!("patch {id} is merged already")));
        }
        // A draft first: what was not checked is not for review, not even for a moment.
        mark(self.forge, self.known, id, &cob, Mark::Draft).await?;
        let (says, to) = (["a revision", &self.trailer], format!("refs/heads/patches/{id}"));
        self.send(&[], &says, &to).await?;
        let cob = self.read(id).await?;
        cob.number_of(&self.trailer)
            .ok_or_else(|| PortError::Refused(format!("{} made no revision of patch {id}", self.change.head)))
    }

    async fn read(&self, id: &str) -> PortResult<Cob> {
        cob::show(&self.forge.programs, &self.known.id, id).await
    }

    /// One push; answers what was said of it.
    async fn send(&self, options: &[&str], says: &[&str], to: &str) -> PortResult<String> {
        let mut call = self.forge.programs.git(&self.forge.copies.path(self.project), "push");
        call = call.args(["-o", "no-sync", "-o", &format!("patch.base={}", self.change.base)]);
        for option in options {
            call = call.args(["-o", option]);
        }
        for line in says {
            call = call.args(["-o", &format!("patch.message={line}")]);
        }
        let refs = format!("+{}:{to}", self.change.head);
        let answer = call.args([&remote(self.forge, self.known), &refs]).answer().await?;
        let said = answer.stderr.clone();
        if answer.code != 0 && said.contains("already included in the base branch") {
            return Err(PortError::Refused(format!("{} is in the default branch already", self.change.head)));
        }
        answer.good()?;
        Ok(said)
    }

    /// Gives the patch its whole text where that differs from what it says.
    async fn describe(&self, id: &str, cob: &Cob, text: &PatchText, task_line: &str) -> PortResult<()> {
        let title = title(text);
        let body = text.body.replace(['\0', '\r'], "");
        let description = format!("{}\n\n{task_line}\n{}", body.trim(), self.trailer).trim().to_owned();
        if cob.title == title && cob.description().trim() == description {
            return Ok(());
        }
        let rad = self.forge.programs.rad("patch");
        let call = rad.args(["edit", "--no-announce", "--repo", &self.known.id, id]);
        call.arg(format!("--message={title}")).arg(format!("--message={description}")).run().await?;
        Ok(())
    }
}

/// Moves a patch to another state where it is not there already. What is merged stays merged.
pub(crate) async fn mark(
    forge: &RadicleForge,
    known: &ForgeProject,
    id: &str,
    cob: &Cob,
    mark: Mark,
) -> PortResult<()> {
    let steps: &[&[&str]] = match (mark, cob.state()) {
        (Mark::Draft, "open") => &[&["ready", "--undo"]],
        (Mark::Draft, "archived") => &[&["archive", "--undo"], &["ready", "--undo"]],
        (Mark::Ready, "draft") => &[&["ready"]],
        (Mark::Ready, "archived") => &[&["archive", "--undo"]],
        (Mark::Archived, "draft" | "open") => &[&["archive"]],
        _ => &[],
    };
    for step in steps {
        let call = forge.programs.rad("patch").args(step.iter().copied());
        call.args(["--no-announce", "--repo", &known.id, id]).run().await?;
    }
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
        Standing::Apart => Err(PortError::Refused(format!(
            "branch `{}` here and on Radicle have each gone on; in the checkout run: \
             git pull --no-rebase {} {}, then try again",
            known.branch,
            forge.home.storage(&known.id).display(),
            known.branch
        ))),
    }
}

/// Where the default branch is on Radicle, if `head` is in it already.
pub(crate) async fn landed(
    forge: &RadicleForge,
    project: &ProjectId,
    known: &ForgeProject,
    head: &Commit,
) -> PortResult<Option<Commit>> {
    let Some(theirs) = published(forge, project, known).await? else { return Ok(None) };
    let there = forge.copies.is_ancestor(project, head, &theirs).await?;
    Ok(Some(theirs).filter(|_| there))
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
        if answer.stderr.contains(RACED) {
            return Err(PortError::unavailable("Radicle's storage", "its node wrote at the same moment"));
        }
        if answer.code != 0 && answer.stderr.contains("rejected") {
            return Err(PortError::Refused(format!(
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
    let (own, delegates) = (forge.nid(), project::delegates(forge, &known.id).await?);
    let mut patches = Vec::new();
    for (id, tips) in tips {
        let key = (known.id.clone(), id.clone());
        let tips = format!("{tips}{delegates:?}");
        let seen = forge.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let (time, patch) = match seen {
            Some((of, time, patch)) if of == tips => (time, patch),
            _ => {
                let cob = cob::show(&forge.programs, &known.id, &id).await.ok();
                let read = cob.as_ref().and_then(|cob| cob.patch(&id, &own, &delegates));
                let (Some((time, mut patch)), Some(cob)) = (read, cob) else {
                    // Anyone may write nonsense in their own namespace; it must not hide the others.
                    tracing::warn!(%id, "a patch cannot be read");
                    continue;
                };
                quote(forge, known, &cob, &mut patch.notes).await;
                let mut all = forge.seen.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(key, (tips, time, patch.clone()));
                (time, patch)
            }
        };
        patches.push((time, patch));
    }
    patches.sort_by(|(a, p), (b, q)| b.cmp(a).then_with(|| p.id.cmp(&q.id)));
    let mut patches: Vec<Patch> = patches.into_iter().map(|(_, patch)| patch).collect();
    forge.copies.note_landed(project, &mut patches, main.as_ref()).await?;
    Ok(patches)
}

/// Gives the notes of people who may merge, then those of others, the lines they are about, as far as there is room.
async fn quote(forge: &RadicleForge, known: &ForgeProject, cob: &Cob, notes: &mut [Note]) {
    let storage = forge.home.storage(&known.id);
    let places = cob.quoted();
    let mut asked: Vec<_> = notes.iter_mut().filter(|n| n.asks && n.place.is_some()).collect();
    asked.sort_by_key(|n| (n.standing != ForgeStanding::Delegate, std::cmp::Reverse(n.at)));
    for note in asked.into_iter().take(QUOTES.0) {
        // By the note, not by the place: somebody else may have named the same place in something of their own.
        let (Some((from, lines)), Some(place)) = (places.get(&note.id), &mut note.place) else { continue };
        let blob = forge.copies.git().bare(&storage, "cat-file").args(["blob", from]).limit(BLOB);
        let Ok(bytes) = blob.run().await else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let first = usize::try_from(lines.start.saturating_sub(1)).unwrap_or(usize::MAX);
        let count = usize::try_from(lines.end.saturating_sub(lines.start)).unwrap_or(0).clamp(1, QUOTES.1);
        let quote: Vec<&str> = text.lines().skip(first).take(count).collect();
        place.quote = quote.join("\n").chars().take(QUOTES.2).collect();
    }
}
