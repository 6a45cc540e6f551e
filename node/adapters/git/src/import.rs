//! From the person's checkout into the bare copy: branches only ever move forward.

use crate::command::Call;
use crate::commit::is_object_id;
use crate::copies::Copies;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::ProjectId;
use std::collections::BTreeSet;
use std::path::Path;

/// Where the branches of the checkout are kept as they are there.
const SOURCE: &str = "refs/ikigai/source/";

/// Fetches all branches of `source` and answers the commit of `branch` (or of HEAD).
pub(crate) async fn import(
    copies: &Copies,
    project: &ProjectId,
    source: &Path,
    branch: Option<&str>,
) -> PortResult<Commit> {
    let source = std::fs::canonicalize(source)
        .map_err(|_| PortError::NotFound(format!("a project folder at {}", source.display())))?;
    let wanted = async {
        match branch {
            Some(name) => Ok(name.to_owned()),
            None => head_branch(copies, &source).await,
        }
    };
    // What is asked first says what is wrong first: a folder without a repository has no branch either.
    let (inspected, wanted) = tokio::join!(inspect(copies, &source), wanted);
    let ((format, folder), wanted) = (inspected?, wanted?);
    if let Some(commit) = unchanged(copies, project, &source, &wanted).await? {
        return Ok(commit);
    }
    let _held = copies.hold(project).await?;
    copies.make(project, &format).await?;
    // What the person committed is theirs to vouch for; old histories often fail the strict check.
    copies.fetch(project, &folder, &[&format!("+refs/heads/*:{SOURCE}*")], false).await?.good()?;
    forward_all(copies, project, &wanted).await
}

/// Where `wanted` is, when the checkout has nothing that the copy has not: most imports find nothing new, and need
/// not wait for those who change the copy.
async fn unchanged(
    copies: &Copies,
    project: &ProjectId,
    source: &Path,
    wanted: &str,
) -> PortResult<Option<Commit>> {
    if copies.existing(project).is_err() {
        return Ok(None);
    }
    let heads = "refs/heads/";
    let list = |call: Call| call.arg("--format=%(objectname) %(refname)");
    let there = list(copies.git().call("-C").arg(source).arg("for-each-ref")).arg(heads).text();
    let here = list(copies.call(project, "for-each-ref")).args([SOURCE, heads]).text();
    let (there, here) = tokio::try_join!(there, here)?;
    let (known, ours): (Vec<_>, Vec<_>) = refs(&here).partition(|(_, name)| name.starts_with(SOURCE));
    let bare = |(id, name): (&'_ str, &str), folder| {
        (id.to_owned(), name.strip_prefix(folder).unwrap_or(name).to_owned())
    };
    let there: BTreeSet<_> = refs(&there).map(|r| bare(r, heads)).collect();
    if there != known.into_iter().map(|r| bare(r, SOURCE)).collect() {
        return Ok(None);
    }
    let find = |(_, name): &&(&str, &str)| name.strip_prefix(heads) == Some(wanted);
    let Some(ours) = ours.iter().find(find).map(|(id, _)| Commit((*id).to_owned())) else { return Ok(None) };
    let Some((theirs, _)) = there.into_iter().find(|(_, name)| name == wanted) else { return Ok(None) };
    let theirs = Commit(theirs);
    let holds = ours == theirs || copies.is_ancestor(project, &theirs, &ours).await?;
    Ok(holds.then_some(ours))
}

/// Pairs of id and name, one a line.
fn refs(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.lines().filter_map(|line| line.split_once(' ')).filter(|(id, _)| is_object_id(id))
}

/// Moves each branch of the copy forward to the checkout's; answers where `wanted` is then.
async fn forward_all(copies: &Copies, project: &ProjectId, wanted: &str) -> PortResult<Commit> {
    let mut answer = None;
    let list = copies.call(project, "for-each-ref").args(["--format=%(objectname) %(refname)", SOURCE]);
    for (id, name) in refs(&list.text().await?) {
        let name = name.trim_start_matches(SOURCE);
        let is_wanted = name == wanted;
        match forward(copies, project, name, Commit(id.to_owned())).await {
            Ok(commit) if is_wanted => answer = Some(commit),
            Err(error) if is_wanted => return Err(error),
            _ => {}
        }
    }
    answer.ok_or_else(|| {
        PortError::NotFound(format!("branch `{wanted}` with a commit in the project (make a first commit)"))
    })
}

/// Moves branch `name` of the copy forward to `theirs`, never back; answers where it is then.
async fn forward(copies: &Copies, project: &ProjectId, name: &str, theirs: Commit) -> PortResult<Commit> {
    let ours_name = format!("refs/heads/{name}");
    let ours = copies.resolve(project, &ours_name).await?;
    match ours {
        Some(ours) if ours == theirs => Ok(ours),
        None => copies.set_ref(project, &ours_name, &theirs, None).await.map(|()| theirs),
        Some(ours) if copies.is_ancestor(project, &ours, &theirs).await? => {
            copies.set_ref(project, &ours_name, &theirs, Some(&ours)).await.map(|()| theirs)
        }
        Some(ours) if copies.is_ancestor(project, &theirs, &ours).await? => Ok(ours),
        Some(_) => Err(PortError::Conflict(format!(
            "branch `{name}` of the checkout and of the node have each gone on; \
             in the checkout run: git pull --no-rebase {} {name}, then try again",
            copies.path(project).display()
        ))),
    }
}

/// The branch the checkout is on.
pub(crate) async fn head_branch(copies: &Copies, source: &Path) -> PortResult<String> {
    let call = copies.git().call("-C").arg(source).args(["symbolic-ref", "--quiet", "--short", "HEAD"]);
    let answer = call.answer().await?;
    match answer.code {
        0 => Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned()),
        1 => Err(PortError::Refused(
            "the checkout is on no branch; name one, or run: git switch <branch>".to_owned(),
        )),
        _ => Err(answer.good().expect_err("invariant: the code is not 0").into()),
    }
}

/// `sha1` or `sha256`, and the folder git keeps the repository in.
async fn inspect(copies: &Copies, source: &Path) -> PortResult<(String, String)> {
    let call = copies.git().call("-C").arg(source).args(["rev-parse", "--show-object-format"]);
    let answer = call.args(["--path-format=absolute", "--git-common-dir"]).answer().await?;
    let text = String::from_utf8_lossy(&answer.stdout);
    match text.trim_end_matches('\n').split_once('\n') {
        Some((format, folder)) if answer.code == 0 => Ok((format.to_owned(), folder.to_owned())),
        _ => {
            let hint = format!("a git repository at {} (run: git init, and commit)", source.display());
            Err(PortError::NotFound(hint))
        }
    }
}
