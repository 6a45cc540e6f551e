//! From the person's checkout into the bare copy: branches only ever move forward.

use crate::commit::is_object_id;
use crate::copies::{Copies, Standing};
use crate::turns::Turn;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::ProjectId;
use std::collections::BTreeMap;
use std::path::Path;

/// Where the branches of the checkout are kept as they are there.
const SOURCE: &str = "refs/ikigai/source/";
/// Where branches are.
const HEADS: &str = "refs/heads/";

/// Fetches all branches of `source` and answers the commit of `branch` (or of HEAD).
pub(crate) async fn import(
    copies: &Copies,
    project: &ProjectId,
    source: &Path,
    branch: Option<&str>,
) -> PortResult<Commit> {
    let source = std::fs::canonicalize(source)
        .map_err(|_| PortError::NotFound(format!("a project folder at {}", source.display())))?;
    if let Some(commit) = unchanged(copies, project, &source, branch).await? {
        return Ok(commit);
    }
    let wanted = async {
        match branch {
            Some(name) => Ok(name.to_owned()),
            None => head_branch(copies, &source).await,
        }
    };
    // What is asked first says what is wrong first: a folder without a repository has no branch either.
    let (inspected, wanted) = tokio::join!(inspect(copies, &source), wanted);
    let ((format, folder), wanted) = (inspected?, wanted?);
    let _held = copies.hold_in(project, Turn::Person).await?;
    copies.make(project, &format).await?;
    // What the person committed is theirs to vouch for; old histories often fail the strict check.
    copies.fetch(project, &folder, &[&format!("+refs/heads/*:{SOURCE}*")], false).await?.good()?;
    forward_all(copies, project, &wanted).await
}

/// Where `branch` (or the one the checkout is on) is, when the checkout has nothing that the copy has not: most imports
/// find nothing new, and need not wait for those who change the copy. What they find is asked in two calls.
async fn unchanged(
    copies: &Copies,
    project: &ProjectId,
    source: &Path,
    branch: Option<&str>,
) -> PortResult<Option<Commit>> {
    if copies.existing(project).is_err() {
        return Ok(None);
    }
    let there = copies.git().call("-C").arg(source).arg("for-each-ref");
    let there = there.args(["--format=%(objectname) %(HEAD)%(refname)", HEADS]).answer();
    let (there, here) = tokio::try_join!(async { Ok(there.await?) }, Here::read(copies, project))?;
    if there.code != 0 {
        // Whoever looks closer says what is wrong.
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&there.stdout).into_owned();
    let (mut there, mut current) = (BTreeMap::new(), None);
    for (id, name) in refs(&text) {
        let Some(short) = name.get(1..).and_then(|name| name.strip_prefix(HEADS)) else { continue };
        there.insert(short, id);
        current = current.or(name.starts_with('*').then_some(short));
    }
    let Some(wanted) = branch.or(current) else { return Ok(None) };
    let known = there.iter().all(|(name, id)| here.has(name, id));
    if !known || there.len() != here.known.len() {
        return Ok(None);
    }
    let (Some(ours), Some(theirs)) = (here.ours.get(wanted), there.get(wanted)) else { return Ok(None) };
    let theirs = Commit((*theirs).to_owned());
    let holds = *ours == theirs || copies.is_ancestor(project, &theirs, ours).await?;
    Ok(holds.then(|| ours.clone()))
}

/// The branches of the copy, and those of the checkout as they were seen last.
struct Here {
    ours: BTreeMap<String, Commit>,
    known: BTreeMap<String, Commit>,
}

impl Here {
    async fn read(copies: &Copies, project: &ProjectId) -> PortResult<Self> {
        let list = copies.call(project, "for-each-ref").arg("--format=%(objectname) %(refname)");
        let text = list.args([SOURCE, HEADS]).text().await?;
        let below = |folder: &str| {
            let named = refs(&text).filter_map(|(id, name)| Some((name.strip_prefix(folder)?, id)));
            named.map(|(name, id)| (name.to_owned(), Commit(id.to_owned()))).collect()
        };
        Ok(Self { ours: below(HEADS), known: below(SOURCE) })
    }

    /// Whether the checkout's branch was seen there, or is where the copy's is: a checkout that followed a merge has
    /// nothing new.
    fn has(&self, name: &str, id: &str) -> bool {
        let at = |commit: Option<&Commit>| commit.is_some_and(|commit| commit.0 == id);
        self.known.contains_key(name) && (at(self.known.get(name)) || at(self.ours.get(name)))
    }
}

/// Pairs of id and name, one a line.
fn refs(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.lines().filter_map(|line| line.split_once(' ')).filter(|(id, _)| is_object_id(id))
}

/// Moves each branch of the copy forward to the checkout's; answers where `wanted` is then.
async fn forward_all(copies: &Copies, project: &ProjectId, wanted: &str) -> PortResult<Commit> {
    let mut answer = None;
    let Here { mut ours, known } = Here::read(copies, project).await?;
    for (name, theirs) in known {
        let is_wanted = name == wanted;
        match forward(copies, project, &name, theirs, ours.remove(&name)).await {
            Ok(commit) if is_wanted => answer = Some(commit),
            Err(error) if is_wanted => return Err(error),
            _ => {}
        }
    }
    answer.ok_or_else(|| {
        PortError::NotFound(format!("branch `{wanted}` with a commit in the project (make a first commit)"))
    })
}

/// Moves branch `name` of the copy, which is at `ours`, forward to `theirs`, never back; answers where it is then.
async fn forward(
    copies: &Copies,
    project: &ProjectId,
    name: &str,
    theirs: Commit,
    ours: Option<Commit>,
) -> PortResult<Commit> {
    let ours_name = format!("{HEADS}{name}");
    let Some(ours) = ours else {
        return copies.set_ref(project, &ours_name, &theirs, None).await.map(|()| theirs);
    };
    match copies.standing(project, &ours, &theirs).await? {
        Standing::Same | Standing::Ahead => Ok(ours),
        Standing::Behind => copies.set_ref(project, &ours_name, &theirs, Some(&ours)).await.map(|()| theirs),
        Standing::Apart => Err(PortError::Conflict(format!(
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
