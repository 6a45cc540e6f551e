//! Takes what an agent committed into the bare copy: checked, made anew, signed.

use crate::commit::{self, Draft, checked};
use crate::copies::Copies;
use crate::names::attempt_ref;
use crate::quarantine::{self, Quarantine};
use ikigai_ports::workspace::{Change, Commit};
use ikigai_ports::{PortError, PortResult, Signer};
use ikigai_types::{Fence, ProjectId};

/// Most commits one attempt may bring; more are taken as one.
const COMMITS: usize = 1000;
/// Most bytes of a list of changed files.
const LIST: usize = 128 << 20;

/// Collects the workspace of `fence`; see [`ikigai_ports::Workspaces::collect`].
pub(crate) async fn collect(
    copies: &Copies,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
    signer: &dyn Signer,
) -> PortResult<Option<Change>> {
    checked(base)?;
    copies.existing(project)?;
    let _held = copies.hold(project).await?;
    let name = attempt_ref("attempts", &fence.attempt);
    let earlier = copies.resolve(project, &name).await?;
    if let Some(head) = &earlier {
        let epoch = epoch_of(copies, project, head).await?;
        if epoch == fence.epoch.0 {
            return describe(copies, project, base, head).await.map(Some);
        }
        if epoch > fence.epoch.0 {
            let text = format!("{fence} is stale: epoch {epoch} of this attempt was collected already");
            return Err(PortError::Conflict(text));
        }
    }
    let Some(quarantine) = quarantine::fill(copies, project, fence, base).await? else { return Ok(None) };
    let Some(theirs) = quarantine.head.clone().filter(|head| *head != base.0) else { return Ok(None) };
    let theirs = Commit(theirs);
    let incoming = attempt_ref("incoming", &fence.attempt);
    take(copies, project, &quarantine, &theirs, &incoming).await?;
    let result = accept(copies, project, fence, base, &theirs, signer).await;
    copies.drop_ref(project, &incoming).await?;
    let head = result?;
    let change = describe(copies, project, base, &head).await?;
    refuse(copies, project, base, &head).await?;
    copies.set_ref(project, &name, &head, earlier.as_ref()).await?;
    Ok(Some(change))
}

/// Brings `head` and all it needs from the quarantine into the copy, checking each object on the way.
pub(crate) async fn take(
    copies: &Copies,
    project: &ProjectId,
    quarantine: &Quarantine,
    head: &Commit,
    into: &str,
) -> PortResult<()> {
    std::fs::write(quarantine.dir.join("refs/heads/head"), format!("{head}\n"))
        .map_err(|e| PortError::failed("writing to the quarantine", e))?;
    let answer = copies.fetch(project, &quarantine.dir, &[&format!("+refs/heads/head:{into}")], true).await?;
    let ours = ["No space left", "unable to write", "Unable to create", "cannot lock ref", "Cannot allocate"];
    if answer.code != 0 && ours.iter().any(|fault| answer.stderr.contains(fault)) {
        // Nothing is said of the agent's work: the same call may do once the disk is well.
        return answer
            .good()
            .map(drop)
            .map_err(|e| PortError::unavailable("the node's copy of the project", e));
    }
    if answer.code != 0 {
        let text: String =
            answer.stderr.chars().filter(|c| !c.is_control() || *c == '\n').take(600).collect();
        return Err(PortError::Refused(format!(
            "the agent's commits do not pass git's checks ({}); retry the task",
            text.replace('\n', "; ")
        )));
    }
    Ok(())
}

/// Makes the commits from `base` to `theirs` anew and signs them; answers the new head.
async fn accept(
    copies: &Copies,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
    theirs: &Commit,
    signer: &dyn Signer,
) -> PortResult<Commit> {
    let (git, bare) = (copies.git(), copies.path(project));
    if !copies.is_ancestor(project, base, theirs).await? {
        return Err(PortError::Refused(format!(
            "the agent's branch does not contain {base}, which it was given to start from; retry the task"
        )));
    }
    let list = copies.call(project, "rev-list").args(["--topo-order", "--reverse", "--parents"]);
    let list = list
        .arg(format!("--max-count={}", COMMITS + 1))
        .args([&theirs.0, &format!("^{base}")])
        .text()
        .await?;
    let lines: Vec<Vec<&str>> = list.lines().map(|l| l.split(' ').collect()).collect();
    let straight = lines.len() <= COMMITS && lines.iter().all(|l| l.len() == 2);
    let ids: Vec<&str> = if straight { lines.iter().map(|l| l[0]).collect() } else { vec![&theirs.0] };
    let trailers =
        [("Ikigai-Task", fence.attempt.task.short().to_owned()), ("Ikigai-Attempt", fence.to_string())];
    let mut head = base.clone();
    for id in ids {
        let old = commit::read(git, &bare, id).await?;
        let note: &[u8] = if straight { b"" } else { b"\n\n(several lines of work, taken as one commit)" };
        let message = [old.message.trim_ascii_end(), note].concat();
        let draft = Draft {
            tree: &old.tree,
            parents: vec![&head.0],
            author: Some(&old.author),
            encoding: old.encoding.as_deref(),
            message: commit::with_trailers(&message, &trailers),
        };
        head = draft.write(git, &bare, Some(signer)).await?;
    }
    Ok(head)
}

/// The epoch that collected `head`.
async fn epoch_of(copies: &Copies, project: &ProjectId, head: &Commit) -> PortResult<u64> {
    let parsed = commit::read(copies.git(), &copies.path(project), &head.0).await?;
    let fence = commit::trailer(&parsed.message, "Ikigai-Attempt");
    let epoch = fence.as_deref().and_then(|f| f.rsplit_once('@')).and_then(|(_, e)| e.parse().ok());
    epoch.ok_or_else(|| PortError::Corrupt(format!("the collected commit {head}")))
}

/// What changed from `base` to `head`.
pub(crate) async fn describe(
    copies: &Copies,
    project: &ProjectId,
    base: &Commit,
    head: &Commit,
) -> PortResult<Change> {
    let diff =
        copies.call(project, "diff-tree").args(["-r", "-z", "--numstat", "--no-renames", "--no-ext-diff"]);
    let out = diff.args(["--no-textconv", checked(base)?, checked(head)?]).limit(LIST).run().await?;
    let mut change =
        Change { base: base.clone(), head: head.clone(), files: Vec::new(), additions: 0, deletions: 0 };
    for record in out.split(|&b| b == 0).filter(|r| !r.is_empty()) {
        let mut parts = record.splitn(3, |&b| b == b'\t');
        let mut number = || {
            let text = parts.next().and_then(|p| std::str::from_utf8(p).ok());
            text.and_then(|t| t.parse::<u64>().ok()).unwrap_or(0)
        };
        change.additions += number();
        change.deletions += number();
        change.files.push(String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned());
    }
    Ok(change)
}

/// Greatest diff that is shown, in bytes.
const DIFF: usize = 4 << 20;

/// `change` as a unified diff, cut with a note when it is long.
pub(crate) async fn diff(copies: &Copies, project: &ProjectId, change: &Change) -> PortResult<String> {
    let diff = copies.call(project, "diff-tree").args(["-r", "-p", "-M", "--no-color", "--no-ext-diff"]);
    let diff = diff.args(["--no-textconv", checked(&change.base)?, checked(&change.head)?]);
    let (mut out, cut) = diff.limit(DIFF).run_cut().await?;
    if cut {
        let end = out.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        out.truncate(end);
    }
    let mut text = String::from_utf8_lossy(&out).into_owned();
    if cut {
        text.push_str(&format!("(cut after {} MiB)\n", DIFF >> 20));
    }
    Ok(text)
}

/// Refuses a change that an agent may not make.
pub(crate) async fn refuse(
    copies: &Copies,
    project: &ProjectId,
    base: &Commit,
    head: &Commit,
) -> PortResult<()> {
    let diff = copies.call(project, "diff-tree").args(["-r", "-z", "--raw", "--no-renames", "--no-abbrev"]);
    let out = diff.args([checked(base)?, checked(head)?]).limit(LIST).run().await?;
    let mut fields = out.split(|&b| b == 0);
    while let (Some(modes), Some(path)) = (fields.next(), fields.next()) {
        let shown = String::from_utf8_lossy(path);
        if modes.splitn(3, |&b| b == b' ').nth(1) == Some(b"160000".as_slice()) {
            return Err(PortError::Refused(format!(
                "the agent added or moved the submodule {shown:?}; submodules are changed by people only \
                 (a nested repository counts as one: remove its .git folder)"
            )));
        }
        if path.eq_ignore_ascii_case(b".gitmodules") {
            return Err(PortError::Refused("the agent changed .gitmodules; people do that only".to_owned()));
        }
        let lower = shown.to_lowercase();
        if lower.starts_with("specs/") && lower.ends_with("/tasks.md") {
            return Err(PortError::Refused(format!(
                "the agent changed {shown:?}; its boxes are ticked when a patch is accepted: \
                 tell the agent to leave it alone"
            )));
        }
    }
    Ok(())
}
