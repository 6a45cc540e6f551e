//! A three-way merge without a checkout: `git merge-tree`, then a commit made by hand and signed.

use crate::commit::{Draft, checked};
use crate::copies::Copies;
use ikigai_ports::forge::PatchText;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult, Signer};
use ikigai_types::ProjectId;

/// Most conflicting files that are named.
const NAMED: usize = 20;

/// A merge commit, made or found.
#[derive(Debug)]
pub(crate) struct Merged {
    pub commit: Commit,
    /// It was made by this call: no ref points at it yet.
    pub is_new: bool,
}

/// Merges `theirs` into `ours` in the bare copy of `project` and answers the signed merge commit, which no
/// ref points at yet. When `ours` has it already: the merge that brought it, or `ours`.
///
/// # Errors
/// [`PortError::Conflict`] that names the files when the trees conflict.
pub async fn merge(
    copies: &Copies,
    project: &ProjectId,
    ours: &Commit,
    theirs: &Commit,
    text: &PatchText,
    signer: &dyn Signer,
) -> PortResult<Commit> {
    Ok(make(copies, project, ours, theirs, text, signer).await?.commit)
}

/// The same, and says which of the two it was.
pub(crate) async fn make(
    copies: &Copies,
    project: &ProjectId,
    ours: &Commit,
    theirs: &Commit,
    text: &PatchText,
    signer: &dyn Signer,
) -> PortResult<Merged> {
    if copies.is_ancestor(project, theirs, ours).await? {
        let commit = brought_by(copies, project, ours, theirs).await?.unwrap_or_else(|| ours.clone());
        return Ok(Merged { commit, is_new: false });
    }
    let call =
        copies.call(project, "merge-tree").args(["--write-tree", "-z", "--name-only", "--no-messages"]);
    let answer = call.args([checked(ours)?, checked(theirs)?]).answer().await?;
    let fields: Vec<String> =
        answer.stdout.split(|&b| b == 0).map(|f| String::from_utf8_lossy(f).into_owned()).collect();
    match answer.code {
        0 => {}
        1 => return Err(conflict(&fields[1..])),
        _ => {
            answer.good()?;
        }
    }
    let draft = Draft {
        tree: fields[0].trim(),
        parents: vec![&ours.0, &theirs.0],
        author: None,
        encoding: None,
        message: message(text),
    };
    let commit = draft.write(copies.git(), &copies.path(project), Some(signer)).await?;
    Ok(Merged { commit, is_new: true })
}

/// What to answer when `commit` is not ahead of where `branch` is: well when it is in it already.
///
/// # Errors
/// [`PortError::Conflict`] when it is not.
pub async fn behind(
    copies: &Copies,
    project: &ProjectId,
    branch: &str,
    ours: &Commit,
    commit: &Commit,
) -> PortResult<()> {
    if copies.is_ancestor(project, commit, ours).await? {
        return Ok(());
    }
    Err(PortError::Conflict(format!(
        "{commit} does not contain all of branch `{branch}`; \
         in the checkout run: git pull --no-rebase {} {branch}, then try again",
        copies.path(project).display()
    )))
}

/// The merge on the first-parent line of `branch` whose second parent is `head`.
async fn brought_by(
    copies: &Copies,
    project: &ProjectId,
    branch: &Commit,
    head: &Commit,
) -> PortResult<Option<Commit>> {
    let list = copies.call(project, "rev-list").args(["--first-parent", "--merges", "--parents"]);
    let list = list.args([checked(branch)?, &format!("^{}", checked(head)?)]).text().await?;
    let found = list.lines().find_map(|line| {
        let mut ids = line.split(' ');
        let (merge, second) = (ids.next()?, ids.nth(1)?);
        (second == head.0).then(|| Commit(merge.to_owned()))
    });
    Ok(found)
}

fn conflict(files: &[String]) -> PortError {
    let files: Vec<&str> = files.iter().map(String::as_str).filter(|f| !f.is_empty()).collect();
    let named = files.iter().take(NAMED).map(|f| format!("{f:?}")).collect::<Vec<_>>().join(", ");
    let more = files.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    PortError::Conflict(format!("the change conflicts with what was accepted since, in {named}{rest}"))
}

/// A commit message of a title, which stays one line, and a body.
pub(crate) fn message(text: &PatchText) -> Vec<u8> {
    let clean = |t: &str| t.replace(['\0', '\r'], "");
    let title = clean(&text.title).replace('\n', " ");
    let title = if title.trim().is_empty() { "(no title)" } else { title.trim() };
    let body = clean(&text.body);
    let body = body.trim();
    if body.is_empty() { format!("{title}\n") } else { format!("{title}\n\n{body}\n") }.into_bytes()
}
