//! Questions about many objects, asked in one call each: a process for every object would make a list of some
//! hundred patches a matter of seconds.

use crate::commit::checked;
use crate::copies::Copies;
use ikigai_ports::forge::Patch;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Commit, ProjectId};
use std::collections::HashSet;

/// Bytes of all blobs that are read in one call.
const BLOBS: usize = 32 << 20;

impl Copies {
    /// Which of `commits` are in the copy.
    ///
    /// # Errors
    /// When one of them is no commit's name, or git fails.
    pub async fn present(&self, project: &ProjectId, commits: &[Commit]) -> PortResult<Vec<Commit>> {
        let names = commits.iter().map(checked).collect::<Result<Vec<_>, _>>()?;
        let ask = self.call(project, "cat-file").arg("--batch-check=%(objectname) %(objecttype)");
        let text = ask.input(lines(names)).text().await?;
        let present = text.lines().filter_map(|line| line.strip_suffix(" commit"));
        Ok(present.map(|id| Commit(id.to_owned())).collect())
    }

    /// Notes of each patch which of its revisions is in `tip`, the newest: a merge that was published but not said
    /// on the patch is a merge all the same. What was archived is not looked at.
    ///
    /// # Errors
    /// When git fails.
    pub async fn note_landed(
        &self,
        project: &ProjectId,
        patches: &mut [Patch],
        tip: Option<&Commit>,
    ) -> PortResult<()> {
        let Some(tip) = tip else { return Ok(()) };
        let open = patches.iter().filter(|p| p.state != "archived");
        let heads: Vec<Commit> =
            open.flat_map(|p| &p.revisions).filter(|c| checked(c).is_ok()).cloned().collect();
        let landed = self.contained(project, &heads, tip).await?;
        for patch in patches.iter_mut().filter(|p| p.state != "archived") {
            patch.landed = patch.revisions.iter().rev().find(|head| landed.contains(head)).cloned();
            if patch.landed.is_some() {
                "merged".clone_into(&mut patch.state);
            }
        }
        Ok(())
    }

    /// Which of `commits` are `tip` or its ancestors. What is not in the copy is in nothing.
    ///
    /// # Errors
    /// When one of them is no commit's name, or git fails.
    pub async fn contained(
        &self,
        project: &ProjectId,
        commits: &[Commit],
        tip: &Commit,
    ) -> PortResult<HashSet<Commit>> {
        let mut left: HashSet<Commit> = self.present(project, commits).await?.into_iter().collect();
        if left.is_empty() {
            return Ok(left);
        }
        let mut names = lines(left.iter().map(|c| c.0.as_str()));
        names.push_str(&format!("^{}\n", checked(tip)?));
        let Ok(outside) = self.call(project, "rev-list").arg("--stdin").input(names).text().await else {
            return Ok(self.contained_each(project, left, tip).await);
        };
        for id in outside.lines() {
            left.remove(&Commit(id.to_owned()));
        }
        Ok(left)
    }

    /// The same one by one: whose history is not whole here, or too long to be told, answers for itself alone.
    async fn contained_each(
        &self,
        project: &ProjectId,
        commits: HashSet<Commit>,
        tip: &Commit,
    ) -> HashSet<Commit> {
        let mut inside = HashSet::new();
        for commit in commits {
            if self.is_ancestor(project, &commit, tip).await.unwrap_or(false) {
                inside.insert(commit);
            }
        }
        inside
    }

    /// The blobs that `names` name (`<commit>:<path>`), as far as they are there, of at most `each` bytes, and
    /// together no more than one call may print.
    ///
    /// # Errors
    /// When git fails.
    pub(crate) async fn blobs(
        &self,
        project: &ProjectId,
        names: &[String],
        each: usize,
    ) -> PortResult<Vec<Vec<u8>>> {
        let ask =
            self.call(project, "cat-file").arg("--batch-check=%(objectsize) %(objectname) %(objecttype)");
        let sizes = ask.input(lines(names.iter().map(String::as_str))).text().await?;
        let mut room = BLOBS;
        let mut wanted = Vec::new();
        for line in sizes.lines() {
            let Some((size, id)) = line.strip_suffix(" blob").and_then(|l| l.split_once(' ')) else {
                continue;
            };
            let size = size.parse().unwrap_or(usize::MAX);
            if size <= each.min(room) {
                room -= size;
                wanted.push(id);
            }
        }
        let ask = self.call(project, "cat-file").arg("--batch=%(objectsize)");
        split(&ask.input(lines(wanted)).run().await?)
    }
}

/// One name a line.
fn lines<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().flat_map(|name| [name, "\n"]).collect()
}

/// The blobs in what git prints of them: for each a line with its size, its bytes, and a newline.
fn split(mut text: &[u8]) -> PortResult<Vec<Vec<u8>>> {
    let broken = || PortError::Corrupt("git's list of blobs".to_owned());
    let mut blobs = Vec::new();
    while let Some(end) = text.iter().position(|&b| b == b'\n') {
        let size = std::str::from_utf8(&text[..end]).ok().and_then(|s| s.parse::<usize>().ok());
        let rest = &text[end + 1..];
        let (blob, after) = size.and_then(|size| rest.split_at_checked(size)).ok_or_else(broken)?;
        blobs.push(blob.to_vec());
        text = after.strip_prefix(b"\n").ok_or_else(broken)?;
    }
    Ok(blobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_told_apart_by_their_sizes() {
        let blobs = split(b"3\na\nb\n0\n\n2\n4\n\n").unwrap();
        assert_eq!(blobs, [&b"a\nb"[..], b"", b"4\n"]);
        for bad in [&b"3\na\n"[..], b"x\n", b"1\nab\n", b"-1\n\n"] {
            assert!(split(bad).is_err(), "{bad:?}");
        }
        assert!(split(b"").unwrap().is_empty());
    }
}
