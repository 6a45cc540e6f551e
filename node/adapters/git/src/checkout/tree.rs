//! Commits and fast-forwards in a checkout, with its index and its branch kept in step.

use super::journal::Journal;
use super::{FILE, GitCheckout, file, hash};
use crate::commit::{Draft, checked, is_object_id};
use ikigai_ports::{PortError, PortResult, Signer};
use ikigai_types::{Commit, ProjectId};
use std::path::Path;

/// Commits the file `path` alone; see [`ikigai_ports::Checkout::commit_file`].
pub(super) async fn commit_file(
    own: &GitCheckout,
    checkout: &Path,
    path: &Path,
    message: &str,
    signer: &dyn Signer,
) -> PortResult<Option<Commit>> {
    let now = {
        let (checkout, path) = (checkout.to_owned(), path.to_owned());
        crate::workspaces::blocking(move || file::read(&checkout, &path)).await??
    };
    let name = path.to_str().ok_or_else(|| PortError::Refused("the path is not UTF-8".to_owned()))?;
    if own.at_rest(checkout).await?.is_none() {
        return Ok(None);
    }
    let Some(head) = own.head(checkout).await? else { return Ok(None) };
    let Some((mode, committed)) = entry(own, checkout, &["ls-tree", "-z", &head.0, "--", name]).await? else {
        return Ok(None);
    };
    let staged = entry(own, checkout, &["ls-files", "-z", "--stage", "--", name]).await?;
    let blob = own.call(checkout, "cat-file")?.args(["blob", &committed]);
    let before = blob.limit(usize::try_from(FILE).unwrap_or(usize::MAX)).run().await?;
    let journal = Journal::of(&own.copies, checkout, path);
    let theirs = staged.is_none_or(|(_, id)| id != committed) || !journal.covers(&hash(&before), &now.hash);
    if before == now.bytes || theirs || own.filtered(checkout, format!("{name}\0").into_bytes()).await? {
        return Ok(None);
    }
    let write = own.call(checkout, "hash-object")?.args(["-w", "--stdin", "--path", name]);
    let blob = write.input(now.bytes).text().await?;
    let tree = tree_with(own, checkout, &head, &mode, &blob, name).await?;
    let message = message.trim_end().to_owned() + "\n";
    let draft = Draft {
        tree: &tree,
        parents: vec![&head.0],
        author: None,
        encoding: None,
        message: message.into_bytes(),
    };
    let write = own.call(checkout, "hash-object")?.args(["-t", "commit", "-w", "--stdin"]);
    let commit = write.input(draft.bytes(Some(signer))?).text().await?;
    let moved = own.call(checkout, "update-ref")?.args(["-m", "commit: ikigai", "HEAD", &commit, &head.0]);
    if moved.answer().await?.code != 0 {
        return Ok(None);
    }
    let index = own.call(checkout, "update-index")?.args(["--cacheinfo", &format!("{mode},{blob},{name}")]);
    index.run().await?;
    // Only refreshes what git remembers of the file's times; other files may well differ.
    let _ = own.call(checkout, "update-index")?.args(["-q", "--refresh", "--", name]).answer().await?;
    journal.settle();
    Ok(Some(Commit(commit)))
}

/// The tree of `head` with one blob replaced, made in an index of its own.
async fn tree_with(
    own: &GitCheckout,
    checkout: &Path,
    head: &Commit,
    mode: &str,
    blob: &str,
    name: &str,
) -> PortResult<String> {
    let parent = own.call(checkout, "ls-tree")?.args(["-z", "-r", "--full-tree", &head.0]).limit(256 << 20);
    let list = parent.run().await?;
    let suffix = format!("\t{name}");
    let kept = list.split(|&b| b == 0).filter(|e| !e.is_empty() && !e.ends_with(suffix.as_bytes()));
    let mut entries: Vec<u8> = kept.flat_map(|e| [e, b"\0"].concat()).collect();
    entries.extend_from_slice(format!("{mode} blob {blob}\t{name}\0").as_bytes());
    // An index in a folder the owner can write: git's own.
    let folder =
        own.at_rest(checkout).await?.ok_or_else(|| PortError::Conflict("the checkout is busy".into()))?;
    let index = folder.join(format!("ikigai-index-{}", std::process::id()));
    let fill = own.call(checkout, "update-index")?.args(["-z", "--index-info"]).input(entries);
    let filled = fill.env("GIT_INDEX_FILE", &index).run().await;
    let tree = match filled {
        Ok(_) => own.call(checkout, "write-tree")?.env("GIT_INDEX_FILE", &index).text().await,
        Err(error) => Err(error),
    };
    let _ = std::fs::remove_file(&index);
    let tree = tree?;
    if is_object_id(&tree) { Ok(tree) } else { Err(PortError::Corrupt("a tree git wrote".to_owned())) }
}

/// Mode and object id of the first entry a listing shows.
async fn entry(own: &GitCheckout, checkout: &Path, args: &[&str]) -> PortResult<Option<(String, String)>> {
    let out = own.call(checkout, args[0])?.args(&args[1..]).text().await?;
    let found = out.split('\t').next().map(|line| line.split(' ').collect::<Vec<_>>());
    Ok(found.and_then(|words| {
        let id = words.iter().find(|w| is_object_id(w))?;
        Some(((*words.first()?).to_owned(), (*id).to_owned()))
    }))
}

/// Brings the checkout to `commit`; see [`ikigai_ports::Checkout::fast_forward`].
pub(super) async fn fast_forward(
    own: &GitCheckout,
    project: &ProjectId,
    checkout: &Path,
    commit: &Commit,
) -> PortResult<bool> {
    let wanted = checked(commit)?;
    if own.at_rest(checkout).await?.is_none() {
        return Ok(false);
    }
    let Some(head) = own.head(checkout).await? else { return Ok(false) };
    if own.copies.resolve(project, &head.0).await?.is_none() {
        return Ok(false);
    }
    if own.copies.is_ancestor(project, commit, &head).await? {
        return Ok(true);
    }
    if !own.copies.is_ancestor(project, &head, commit).await? {
        return Ok(false);
    }
    let diff = own.copies.call(project, "diff-tree").args(["-r", "-z", "--name-only", "--no-renames"]);
    let touched = diff.args([&head.0, wanted]).limit(256 << 20).run().await?;
    if own.filtered(checkout, touched).await? {
        return Ok(false);
    }
    let pack = own.copies.call(project, "pack-objects").args(["--revs", "--stdout", "--quiet"]);
    let pack = pack.input(format!("{wanted}\n^{head}\n"));
    pack.pipe(own.call(checkout, "unpack-objects")?.args(["-q", "--strict"])).await?;
    // Verifies every file first, and changes nothing when one of them is in the way.
    let merge =
        own.call(checkout, "merge")?.args(["--ff-only", "--no-overwrite-ignore", "--quiet", "--no-stat"]);
    let merged = merge.arg(wanted).answer().await?;
    if merged.code != 0 {
        tracing::info!(checkout = %checkout.display(), reason = merged.stderr, "checkout not brought along");
    }
    Ok(merged.code == 0)
}
