//! The Objects port: packs out of a bare copy, and packs of other nodes into it, checked before they count.

use crate::commit::{checked, is_object_id};
use crate::copies::Copies;
use crate::moved::MOVED;
use crate::turns;
use crate::workspaces::GitWorkspaces;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ikigai_ports::objects::{MAX_PACK, Objects, Pack};
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::ProjectId;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Bytes of one piece.
const PIECE: usize = 64 << 10;
/// Commits of another node that are looked at.
const HAVE: usize = 256;
/// Greatest pack whose objects may be stored one by one, in bytes, and the most objects it may have for that.
const SMALL: u64 = 1 << 20;
const LOOSE: u32 = 100;

/// A folder of its own in the staging area, deleted when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(copies: &Copies, what: &str) -> PortResult<Self> {
        let folder = copies.scratch(what);
        std::fs::create_dir(&folder).map_err(|e| PortError::failed("making a folder for a pack", e))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[async_trait]
impl Objects for GitWorkspaces {
    async fn has(&self, project: &ProjectId, commit: &Commit) -> PortResult<bool> {
        let commit = checked(commit)?;
        Ok(self.copies().existing(project).is_ok() && connected(self.copies(), project, commit).await?)
    }

    async fn tips(&self, project: &ProjectId, limit: usize) -> PortResult<Vec<Commit>> {
        if self.copies().existing(project).is_err() {
            return Ok(Vec::new());
        }
        let call = self.copies().call(project, "for-each-ref").arg("--sort=-committerdate");
        let call = call.arg(format!("--count={limit}")).args(["--format=%(objectname)", "refs/heads"]);
        let text = call.arg(MOVED).text().await?;
        Ok(text.lines().filter(|l| is_object_id(l)).map(|l| Commit(l.to_owned())).collect())
    }

    async fn pack(&self, project: &ProjectId, want: &Commit, have: &[Commit]) -> PortResult<Pack> {
        let copies = self.copies();
        copies.existing(project)?;
        let wanted = checked(want)?;
        let asked: Vec<Commit> = [want].into_iter().chain(have.iter().take(HAVE)).cloned().collect();
        let present = copies.present(project, &asked).await?;
        if !present.contains(want) {
            return Err(PortError::NotFound(format!("commit {want} of project {project}")));
        }
        let mut revs = format!("{wanted}\n");
        for known in have.iter().take(HAVE).filter(|known| present.contains(known)) {
            revs.push_str(&format!("^{known}\n"));
        }
        let scratch = Scratch::new(copies, "pack")?;
        let call = copies.call(project, "pack-objects").args(["--quiet", "--revs", "--delta-base-offset"]);
        call.arg(scratch.0.join("p")).input(revs).run().await?;
        stream_of(scratch).await
    }

    async fn unpack(&self, project: &ProjectId, want: &Commit, pack: Pack) -> PortResult<()> {
        let copies = self.copies();
        let wanted = checked(want)?.to_owned();
        let scratch = Scratch::new(copies, "unpack")?;
        let file = scratch.0.join("in.pack");
        let size = write(&file, pack).await?;
        let room = turns::to_move().await;
        let format = if wanted.len() == 64 { "sha256" } else { "sha1" };
        let bare = copies.make(project, format).await?;
        // Nothing more was to be sent when everything was here.
        if let Some(name) = index(copies, project, &file).await?
            && (size > SMALL || !loosen(copies, project, &file).await?)
        {
            keep(&file, &name, &bare).await?;
        }
        if !connected(copies, project, &wanted).await? {
            return Err(PortError::Corrupt(format!("the pack for commit {wanted}")));
        }
        // What follows waits for the project: others need not wait for that.
        drop(room);
        copies.keep_moved(project, want).await?;
        if let Err(error) = copies.let_go(project, &[]).await {
            tracing::warn!(%project, error = error.chain(), "references nobody needs are kept");
        }
        Ok(())
    }
}

/// Whether `commit` and all it reaches is there.
async fn connected(copies: &Copies, project: &ProjectId, commit: &str) -> PortResult<bool> {
    let call = copies.call(project, "rev-list").args(["--quiet", "--objects", commit, "--not", "--all"]);
    Ok(call.answer().await?.code == 0)
}

/// Checks every object of a pack and indexes it; the name it may be kept under, `None` for an empty pack.
async fn index(copies: &Copies, project: &ProjectId, file: &Path) -> PortResult<Option<String>> {
    let call = copies.call(project, "index-pack").args(["--strict"]).arg(file);
    let answer = call.answer().await?;
    if answer.code != 0 {
        tracing::warn!(complaint = answer.complaint(), "a pack is not taken");
        return Err(PortError::Corrupt("the pack of another node".to_owned()));
    }
    let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let name = text.rsplit(['\t', ' ']).next().unwrap_or_default();
    Ok(is_object_id(name).then(|| name.to_owned()))
}

/// Stores the objects of a pack that was checked one by one, unless there are many: a pack for each result would make
/// every later call of git look through thousands.
async fn loosen(copies: &Copies, project: &ProjectId, file: &Path) -> PortResult<bool> {
    let pack = tokio::fs::read(file).await.map_err(|e| PortError::failed("reading a pack", e))?;
    // `PACK`, the version, and how many there are.
    let count = pack.get(8..12).map_or(u32::MAX, |n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]));
    if count > LOOSE {
        return Ok(false);
    }
    copies.call(project, "unpack-objects").arg("-q").input(pack).run().await?;
    Ok(true)
}

/// Keeps a pack that was checked.
async fn keep(file: &Path, name: &str, bare: &Path) -> PortResult<()> {
    for end in ["pack", "idx"] {
        let to = bare.join(format!("objects/pack/pack-{name}.{end}"));
        let moved = tokio::fs::rename(file.with_extension(end), to).await;
        moved.map_err(|e| PortError::failed("keeping a pack", e))?;
    }
    Ok(())
}

/// Writes a pack to a file; answers its size.
async fn write(path: &Path, mut pack: Pack) -> PortResult<u64> {
    let failed = |e: io::Error| PortError::failed("writing a pack", e);
    let mut file = File::create(path).await.map_err(failed)?;
    let mut size = 0;
    while let Some(piece) = pack.next().await {
        let piece = piece?;
        size += piece.len() as u64;
        if size > MAX_PACK {
            return Err(PortError::Refused(format!("a pack of more than {MAX_PACK} bytes is not taken in")));
        }
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)?;
    Ok(size)
}

/// The one pack in `scratch`, in pieces; the folder goes when the stream does.
async fn stream_of(scratch: Scratch) -> PortResult<Pack> {
    let failed = |e: io::Error| PortError::failed("reading a pack", e);
    let mut path = None;
    let mut entries = tokio::fs::read_dir(&scratch.0).await.map_err(failed)?;
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        if entry.path().extension().is_some_and(|e| e == "pack") {
            path = Some(entry.path());
        }
    }
    let path = path.ok_or_else(|| PortError::Corrupt("git made no pack".to_owned()))?;
    let file = File::open(path).await.map_err(failed)?;
    let pieces = stream::try_unfold((file, scratch), |(mut file, scratch)| async move {
        let mut piece = Vec::with_capacity(PIECE);
        let n = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
        Ok::<_, io::Error>((n > 0).then(|| (Bytes::from(piece), (file, scratch))))
    });
    Ok(pieces.map_err(failed).boxed())
}
