//! Takes git objects out of a hostile workspace into a repository of our own, where they can be checked.

use crate::commit::is_object_id;
use crate::copies::Copies;
use crate::create::begun_with;
use crate::hostile::Folder;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Fence, ProjectId};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most loose objects and packs one workspace may bring.
const FILES: usize = 400_000;
/// Most bytes of objects one workspace may bring, packed or not.
const BYTES: u64 = 4 << 30;
/// Greatest object one workspace may bring, in bytes when unpacked.
const OBJECT: u64 = 1 << 30;
/// Greatest file of refs that is read.
const REFS: u64 = 16 << 20;

/// A repository of ours that holds a workspace's objects and nothing else of it; deleted when dropped.
#[derive(Debug)]
pub(crate) struct Quarantine {
    pub dir: PathBuf,
    /// The commit the agent ended on, as it claims; the object may be missing.
    pub head: Option<String>,
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Copies the objects of the workspace of `fence`; `None` when it has no repository any more.
pub(crate) async fn fill(
    copies: &Copies,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
) -> PortResult<Option<Quarantine>> {
    let workspace = copies.layout().workspace(fence);
    if !workspace.is_dir() {
        return Err(PortError::NotFound(format!("workspace of {fence}")));
    }
    let known = fs::read_to_string(begun_with(&workspace)).unwrap_or_default();
    let (dir, bare) = (copies.scratch("quarantine"), copies.path(project));
    let branch = crate::names::branch(&fence.attempt.task);
    let base = base.0.clone();
    let copy = move || -> io::Result<Option<(Quarantine, Vec<OsString>)>> {
        let mut quarantine = Quarantine { dir: dir.clone(), head: None };
        lay_out(&dir, &bare)?;
        let root = Folder::open(&workspace)?;
        if matches!(root.kind(OsStr::new(".git")), Err(e) if e.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let inner = root.folder(OsStr::new(".git"))?;
        quarantine.head = heads(&inner, &branch, &base);
        let mut budget = Budget { files: FILES, bytes: BYTES };
        let packs = objects(&inner, &dir.join("objects"), &known, &mut budget)?;
        Ok(Some((quarantine, packs)))
    };
    let copied =
        tokio::task::spawn_blocking(copy).await.map_err(|e| PortError::failed("reading a workspace", e))?;
    let copied = copied.map_err(|e| {
        PortError::Refused(format!(
            "the workspace's repository cannot be taken as it is: {e}; retry the task"
        ))
    })?;
    let Some((quarantine, packs)) = copied else { return Ok(None) };
    for pack in packs {
        // Indexes the agent wrote are not trusted: they are made anew from the packs.
        let path = quarantine.dir.join("objects/pack").join(pack);
        let index = copies.git().bare(&quarantine.dir, "index-pack").arg(path).run().await;
        index.map_err(|e| {
            PortError::Refused(format!("a pack of the workspace is damaged: {e}; retry the task"))
        })?;
    }
    weigh(copies, &quarantine.dir).await?;
    // Only now does it borrow what the agent began with.
    let alternates = format!("{}\n", copies.path(project).join("objects").display());
    fs::write(quarantine.dir.join("objects/info/alternates"), alternates)
        .map_err(|e| PortError::failed("writing to the quarantine", e))?;
    Ok(Some(quarantine))
}

/// Refuses objects that unpack into more than anybody writes by hand.
async fn weigh(copies: &Copies, dir: &Path) -> PortResult<()> {
    let check = copies.git().bare(dir, "cat-file").args(["--batch-all-objects", "--unordered"]);
    let sizes = check.arg("--batch-check=%(objectsize)").run().await;
    let sizes =
        sizes.map_err(|e| PortError::Refused(format!("an object is damaged: {e}; retry the task")))?;
    let sizes = sizes.split(|&b| b == b'\n').filter_map(|line| std::str::from_utf8(line).ok()?.parse().ok());
    let (sum, most) =
        sizes.fold((0u64, 0u64), |(sum, most), size: u64| (sum.saturating_add(size), most.max(size)));
    if most > OBJECT || sum > BYTES {
        return Err(PortError::Refused(format!(
            "the agent committed a file of {} MiB, {} MiB in all; at most {} and {} MiB are taken: \
             tell it to leave build products out",
            most >> 20,
            sum >> 20,
            OBJECT >> 20,
            BYTES >> 20
        )));
    }
    Ok(())
}

struct Budget {
    files: usize,
    bytes: u64,
}

impl Budget {
    fn spend(&mut self, bytes: u64) -> io::Result<()> {
        let too_much = || io::Error::new(io::ErrorKind::InvalidData, "it holds too many objects");
        self.files = self.files.checked_sub(1).ok_or_else(too_much)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(too_much)?;
        Ok(())
    }
}

/// An empty bare repository of the same format as the project's copy.
fn lay_out(dir: &Path, bare: &Path) -> io::Result<()> {
    for folder in ["objects/pack", "objects/info", "refs/heads"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    fs::write(dir.join("HEAD"), "ref: refs/heads/none\n")?;
    fs::copy(bare.join("config"), dir.join("config")).map(drop)
}

/// Copies loose objects and packs; answers the names of the packs.
fn objects(inner: &Folder, into: &Path, known: &str, budget: &mut Budget) -> io::Result<Vec<OsString>> {
    let from = inner.folder(OsStr::new("objects"))?;
    let mut packs = Vec::new();
    for name in from.names(FILES)? {
        let text = name.to_string_lossy();
        if text.len() == 2 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            let folder = from.folder(&name)?;
            fs::create_dir_all(into.join(&name))?;
            for object in folder.names(FILES)? {
                if is_object_id(&format!("{text}{}", object.to_string_lossy())) {
                    copy(&folder, &object, &into.join(&name).join(&object), budget)?;
                }
            }
        } else if text == "pack" {
            let folder = from.folder(&name)?;
            for pack in folder.names(FILES)? {
                let text = pack.to_string_lossy();
                let id = text.strip_prefix("pack-").and_then(|rest| rest.strip_suffix(".pack"));
                if id.is_some_and(is_object_id) && !known.lines().any(|k| k == text) {
                    copy(&folder, &pack, &into.join("pack").join(&pack), budget)?;
                    packs.push(pack);
                }
            }
        }
    }
    Ok(packs)
}

/// Takes one file over by a second link to it, which costs a fraction of a copy. The agent may still write
/// to it then, but git checks what it reads, and a link to anywhere else is not a regular file.
fn copy(from: &Folder, name: &OsStr, to: &Path, budget: &mut Budget) -> io::Result<()> {
    match from.link_to(name, to) {
        Ok(()) => {}
        // Another file system, or a rule about links to files of others.
        Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::XDEV | Errno::PERM | Errno::MLINK)) => {
            let (file, size) = from.file(name)?;
            io::copy(&mut file.take(size), &mut fs::File::create(to)?)?;
        }
        Err(e) => return Err(e),
    }
    let meta = fs::symlink_metadata(to)?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an object is not a regular file"));
    }
    budget.spend(meta.len())
}

/// The commit the agent ended on: HEAD, or its own branch when HEAD never left `base`.
fn heads(inner: &Folder, branch: &str, base: &str) -> Option<String> {
    let head = inner.read(OsStr::new("HEAD"), 4096).ok();
    let head = head.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| {
        let text = text.trim();
        match text.strip_prefix("ref: ") {
            Some(name) => lookup(inner, name),
            None => Some(text.to_owned()).filter(|t| is_object_id(t)),
        }
    });
    match head {
        Some(head) if head != base => Some(head),
        head => lookup(inner, &format!("refs/heads/{branch}")).or(head),
    }
}

/// What the ref `name` points at, read by hand.
fn lookup(inner: &Folder, name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('/').collect();
    let bad = |p: &&str| p.is_empty() || *p == "." || *p == "..";
    if parts.len() < 3 || parts.len() > 16 || parts[..2] != ["refs", "heads"] || parts.iter().any(bad) {
        return None;
    }
    loose(inner, &parts).or_else(|| packed(inner, name))
}

fn loose(inner: &Folder, parts: &[&str]) -> Option<String> {
    let (last, folders) = parts.split_last()?;
    let mut folder = inner.folder(OsStr::new(folders.first()?)).ok()?;
    for part in &folders[1..] {
        folder = folder.folder(OsStr::new(part)).ok()?;
    }
    let text = String::from_utf8(folder.read(OsStr::new(last), 4096).ok()?).ok()?;
    Some(text.trim().to_owned()).filter(|t| is_object_id(t))
}

fn packed(inner: &Folder, name: &str) -> Option<String> {
    let text = String::from_utf8(inner.read(OsStr::new("packed-refs"), REFS).ok()?).ok()?;
    let line = text.lines().find_map(|line| line.strip_suffix(name).filter(|rest| rest.ends_with(' ')))?;
    Some(line.trim().to_owned()).filter(|t| is_object_id(t))
}
