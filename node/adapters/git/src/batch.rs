//! Questions about many objects, asked in one call each: a process for every object would make a list of some
//! hundred patches a matter of seconds.

use crate::command::Git;
use crate::commit::checked;
use crate::copies::Copies;
use ikigai_ports::forge::Patch;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Commit, ProjectId};
use std::collections::HashSet;
use std::path::Path;

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
}

/// An object as it is stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub id: String,
    /// `commit`, `blob`, …
    pub kind: String,
    pub bytes: Vec<u8>,
}

/// The objects that `names` name in the bare repository at `dir`, each of about `each` bytes at most; `None` for one
/// that is not there.
///
/// # Errors
/// When git fails, or they are larger.
pub(crate) async fn objects(
    git: &Git,
    dir: &Path,
    names: &[String],
    each: usize,
) -> PortResult<Vec<Option<Object>>> {
    let ask = git.bare(dir, "cat-file").arg("--batch").limit(names.len() * (each + 1024));
    told(&ask.input(lines(names.iter().map(String::as_str))).run().await?)
}

/// The blobs that `names` name (`<commit>:<path>`) in the bare repository at `dir`, as far as they are there, of at
/// most `each` bytes, and together no more than one call may print.
///
/// # Errors
/// When git fails.
pub(crate) async fn blobs(git: &Git, dir: &Path, names: &[String], each: usize) -> PortResult<Vec<Vec<u8>>> {
    let ask = git.bare(dir, "cat-file").arg("--batch-check=%(objectsize) %(objectname) %(objecttype)");
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
    let objects = told(&git.bare(dir, "cat-file").arg("--batch").input(lines(wanted)).run().await?)?;
    Ok(objects.into_iter().flatten().map(|object| object.bytes).collect())
}

/// One name a line.
fn lines<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().flat_map(|name| [name, "\n"]).collect()
}

/// What git prints of objects: for each a line with its name, kind and size, its bytes, and a newline; for one that
/// is not there the name it was asked by and why not.
fn told(mut text: &[u8]) -> PortResult<Vec<Option<Object>>> {
    let broken = || PortError::Corrupt("git's list of objects".to_owned());
    let mut objects = Vec::new();
    while let Some(end) = text.iter().position(|&b| b == b'\n') {
        let line = String::from_utf8_lossy(&text[..end]);
        text = &text[end + 1..];
        if line.ends_with(" missing") || line.ends_with(" ambiguous") {
            objects.push(None);
            continue;
        }
        let mut words = line.split(' ');
        let (Some(id), Some(kind), Some(Ok(size)), None) =
            (words.next(), words.next(), words.next().map(str::parse::<usize>), words.next())
        else {
            return Err(broken());
        };
        let (bytes, rest) = text.split_at_checked(size).ok_or_else(broken)?;
        text = rest.strip_prefix(b"\n").ok_or_else(broken)?;
        objects.push(Some(Object { id: id.to_owned(), kind: kind.to_owned(), bytes: bytes.to_vec() }));
    }
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_apart_by_their_sizes() {
        let text = b"1a blob 3\na\nb\nrefs/x missing\n2b tree 0\n\n3c commit 2\n4\n\n";
        let objects = told(text).unwrap();
        let bytes: Vec<_> = objects.iter().map(|o| o.as_ref().map(|o| &o.bytes[..])).collect();
        assert_eq!(bytes, [Some(&b"a\nb"[..]), None, Some(b""), Some(b"4\n")]);
        assert_eq!(objects[3].as_ref().map(|o| (&*o.id, &*o.kind)), Some(("3c", "commit")));
        for bad in [&b"a blob 3\na\n"[..], b"x\n", b"a blob 1\nab\n", b"a blob -1\n\n", b"a blob 1 1\na\n"] {
            assert!(told(bad).is_err(), "{bad:?}");
        }
        assert!(told(b"").unwrap().is_empty());
    }
}
