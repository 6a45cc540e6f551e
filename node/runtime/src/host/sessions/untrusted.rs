//! Folders that an agent wrote: counted, cut down, deleted; never read. Each is held open while it is looked into, so
//! that what is renamed or linked over a path meanwhile leads nowhere, and no link is followed.

use ikigai_ports::executor::WORKLOAD_UID;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::lchown;
use std::path::Path;
use std::time::SystemTime;

/// The largest session that is kept.
pub(super) const BYTES: u64 = 64 << 20;
/// Most entries of one.
pub(super) const ENTRIES: usize = 4096;
/// How deep its folders go.
const DEPTH: usize = 8;
/// How far a folder that is being written is counted: entries and depth.
const COUNTED: (usize, usize) = (1 << 18, 64);
/// Names of one folder that are deleted at a time.
const AT_ONCE: usize = 4096;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What is done with an entry: the folder it is in, its name there, and what it is.
type See<'a> = &'a mut dyn FnMut(&OwnedFd, &CStr, &Stat) -> io::Result<()>;

/// Gives a new, empty folder to whoever workloads are, when this process may give it away.
pub(super) fn hand_over(folder: &Path) -> io::Result<()> {
    match lchown(folder, Some(WORKLOAD_UID), Some(WORKLOAD_UID)) {
        // Workloads of a node without that right are the node's own user.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// Bytes in it, its agent may be writing there; `u64::MAX` when it is made so that they cannot be counted.
pub(in crate::host) fn bytes(folder: &Path) -> u64 {
    let mut sum = 0_u64;
    let counted = walk(folder, COUNTED, &mut |_, _, found| {
        sum = sum.saturating_add(size(found));
        Ok(())
    });
    if counted.is_ok() { sum } else { u64::MAX }
}

/// Removes everything that is no regular file or folder; whether the rest is small enough to be kept.
pub(super) fn tidy(folder: &Path) -> bool {
    if !fs::symlink_metadata(folder).is_ok_and(|m| m.is_dir()) {
        return false;
    }
    let mut sum = 0_u64;
    let walked = walk(folder, (ENTRIES, DEPTH), &mut |parent, name, found| match kind(found) {
        FileType::Directory => Ok(()),
        FileType::RegularFile => {
            sum = sum.saturating_add(size(found));
            Ok(())
        }
        _ => Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?),
    });
    walked.is_ok() && sum <= BYTES
}

/// Deletes it: links are deleted, not followed. However deep it is, one folder is open at a time: those within are
/// moved up first, into a folder beside it that nobody else writes.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let bin = folder.with_file_name(format!(".removed-{}-{}", std::process::id(), since.as_nanos()));
    fs::create_dir(&bin)?;
    match fs::rename(folder, bin.join("0")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return fs::remove_dir(&bin),
        moved => moved?,
    }
    let held = rustix::fs::openat(CWD, &bin, FOLDER, Mode::empty())?;
    let mut made = 0_u64;
    loop {
        let names = names(&held, AT_ONCE)?;
        if names.is_empty() {
            return fs::remove_dir(&bin);
        }
        for name in names {
            empty(&held, &name, &mut made)?;
            rustix::fs::unlinkat(&held, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

/// Deletes what is in the folder `name` of `bin`, its folders moved into `bin`.
fn empty(bin: &OwnedFd, name: &CStr, made: &mut u64) -> io::Result<()> {
    // Who wrote it may have closed it.
    rustix::fs::chmodat(bin, name, Mode::RWXU, AtFlags::empty())?;
    let folder = rustix::fs::openat(bin, name, FOLDER, Mode::empty())?;
    loop {
        let inner = names(&folder, AT_ONCE)?;
        if inner.is_empty() {
            return Ok(());
        }
        for name in inner {
            match rustix::fs::unlinkat(&folder, &name, AtFlags::empty()) {
                Err(Errno::ISDIR | Errno::PERM) => {
                    *made += 1;
                    let to = made.to_string();
                    if rustix::fs::renameat(&folder, &name, bin, &to) == Err(Errno::ACCESS) {
                        rustix::fs::chmodat(&folder, &name, Mode::RWXU, AtFlags::empty())?;
                        rustix::fs::renameat(&folder, &name, bin, &to)?;
                    }
                }
                done => done?,
            }
        }
    }
}

/// Shows every entry below `folder`, a folder before what is in it, or an error when there are more entries or deeper
/// ones than `most`. What goes away meanwhile is left out.
fn walk(folder: &Path, most: (usize, usize), see: See<'_>) -> io::Result<()> {
    let root = match rustix::fs::openat(CWD, folder, FOLDER, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    let (mut left, depth) = most;
    within(&root, depth, &mut left, see)
}

fn within(folder: &OwnedFd, depth: usize, left: &mut usize, see: See<'_>) -> io::Result<()> {
    let too_much = || io::Error::other("there is too much in it");
    for name in names(folder, *left + 1)? {
        *left = left.checked_sub(1).ok_or_else(too_much)?;
        let found = match rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            found => found?,
        };
        see(folder, &name, &found)?;
        if kind(&found) == FileType::Directory {
            let depth = depth.checked_sub(1).ok_or_else(too_much)?;
            match rustix::fs::openat(folder, &name, FOLDER, Mode::empty()) {
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                inner => within(&inner?, depth, left, see)?,
            }
        }
    }
    Ok(())
}

/// At most `limit` names in a folder.
fn names(folder: &OwnedFd, limit: usize) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if names.len() < limit && name.as_bytes() != b"." && name.as_bytes() != b".." {
            names.push(name);
        }
        if names.len() >= limit {
            break;
        }
    }
    Ok(names)
}

fn kind(found: &Stat) -> FileType {
    FileType::from_raw_mode(found.st_mode)
}

/// What an entry takes, or what it says it has, when that is more.
fn size(found: &Stat) -> u64 {
    let own = if kind(found) == FileType::RegularFile { found.st_size } else { 0 };
    let taken = u64::try_from(found.st_blocks).unwrap_or(0).saturating_mul(512);
    u64::try_from(own).unwrap_or(0).max(taken)
}
