//! Commits and fast-forwards in a checkout, with its index and its branch kept in step.

use super::journal::Journal;
use super::{FILE, GitCheckout, Rest, file, hash};
use crate::commit::{Draft, checked, is_object_id};
use crate::copies::Standing;
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
    let Some(Rest { folder, head }) = own.at_rest(checkout).await? else { return Ok(None) };
    let parent = own.call(checkout, "ls-tree")?.args(["-z", "-r", "--full-tree", &head.0]).limit(256 << 20);
    let (here, others) = apart(&parent.run().await?, name);
    let Some((mode, committed)) = here else { return Ok(None) };
    let staged = own.call(checkout, "ls-files")?.args(["-z", "--stage", "--", name]).text().await?;
    let staged = entry(staged.split('\0').next().unwrap_or_default());
    let blob = own.call(checkout, "cat-file")?.args(["blob", &committed]);
    let before = blob.limit(usize::try_from(FILE).unwrap_or(usize::MAX)).run().await?;
    let journal = Journal::of(&own.copies, checkout, path);
    let theirs = staged.is_none_or(|(_, id)| id != committed) || !journal.covers(&hash(&before), &now.hash);
    if before == now.bytes || theirs || own.filtered(checkout, format!("{name}\0").into_bytes()).await? {
        return Ok(None);
    }
    let write = own.call(checkout, "hash-object")?.args(["-w", "--stdin", "--path", name]);
    let blob = write.input(now.bytes).text().await?;
    let entries = [others, format!("{mode} blob {blob}\t{name}\0").into_bytes()].concat();
    let tree = tree_of(own, checkout, &folder, entries).await?;
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

/// Mode and id of the file `name` in a listing of a tree, and all other entries.
fn apart(list: &[u8], name: &str) -> (Option<(String, String)>, Vec<u8>) {
    let entries = list.split(|&b| b == 0).filter(|e| !e.is_empty());
    let named = |e: &&[u8]| e.splitn(2, |&b| b == b'\t').nth(1) == Some(name.as_bytes());
    let (own, others): (Vec<_>, Vec<_>) = entries.partition(named);
    let own = own.first().and_then(|e| entry(&String::from_utf8_lossy(e)));
    (own, others.into_iter().flat_map(|e| [e, b"\0"].concat()).collect())
}

/// The tree of these entries, made in an index of its own.
async fn tree_of(own: &GitCheckout, checkout: &Path, folder: &Path, entries: Vec<u8>) -> PortResult<String> {
    // An index in a folder the owner can write: git's own.
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

/// Mode and object id of an entry of a listing.
fn entry(line: &str) -> Option<(String, String)> {
    let words: Vec<_> = line.split('\t').next()?.split(' ').collect();
    let id = words.iter().find(|w| is_object_id(w))?;
    Some(((*words.first()?).to_owned(), (*id).to_owned()))
}

/// Brings the checkout to `commit`; see [`ikigai_ports::Checkout::fast_forward`].
pub(super) async fn fast_forward(
    own: &GitCheckout,
    project: &ProjectId,
    checkout: &Path,
    commit: &Commit,
) -> PortResult<bool> {
    let wanted = checked(commit)?;
    let Some(Rest { head, .. }) = own.at_rest(checkout).await? else { return Ok(false) };
    match own.copies.standing(project, &head, commit).await {
        Ok(Standing::Same | Standing::Ahead) => return Ok(true),
        Ok(Standing::Behind) => {}
        Ok(Standing::Apart) => return Ok(false),
        // What the person committed is not in the copy yet.
        Err(_) if own.copies.resolve(project, &head.0).await?.is_none() => return Ok(false),
        Err(error) => return Err(error),
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
