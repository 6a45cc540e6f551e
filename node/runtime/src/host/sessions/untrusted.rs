//! Folders that an agent wrote: counted, cut down, deleted; never read, no link followed.

use ikigai_ports::executor::WORKLOAD_UID;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

/// The largest session that is kept.
pub(super) const BYTES: u64 = 64 << 20;
/// Most entries of one.
pub(super) const ENTRIES: usize = 4096;
/// How deep its folders go.
const DEPTH: usize = 8;

/// Gives a new, empty folder to whoever workloads are, when this process may give it away.
pub(super) fn hand_over(folder: &Path) -> io::Result<()> {
    match lchown(folder, Some(WORKLOAD_UID), Some(WORKLOAD_UID)) {
        // Workloads of a node without that right are the node's own user.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// Bytes in it, as far as it is looked at: its agent may be writing there.
pub(super) fn bytes(folder: &Path) -> u64 {
    let mut sum = 0_u64;
    let _ = walk(folder, &mut |_, found| {
        sum = sum.saturating_add(found.len());
        Ok(())
    });
    sum
}

/// Removes everything that is no regular file or folder; whether the rest is small enough to be kept. Nobody may be
/// writing there.
pub(super) fn tidy(folder: &Path) -> bool {
    if !fs::symlink_metadata(folder).is_ok_and(|m| m.is_dir()) {
        return false;
    }
    let mut sum = 0_u64;
    let walked = walk(folder, &mut |path, found| {
        if found.is_dir() {
            return fs::set_permissions(path, fs::Permissions::from_mode(0o700));
        }
        if !found.is_file() {
            return fs::remove_file(path);
        }
        sum = sum.saturating_add(found.len());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    });
    walked.is_ok() && sum <= BYTES
}

/// Deletes it: links are deleted, not followed.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            // Folders that were closed are opened first.
            let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o700));
            let _ = walk(folder, &mut |path, found| if found.is_dir() { open(path) } else { Ok(()) });
            fs::remove_dir_all(folder)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Shows every entry below `folder`, a folder before what is in it.
fn walk(folder: &Path, see: &mut dyn FnMut(&Path, &fs::Metadata) -> io::Result<()>) -> io::Result<()> {
    let mut folders: Vec<(PathBuf, usize)> = vec![(folder.to_owned(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let found = fs::symlink_metadata(&path)?;
            seen += 1;
            if seen > ENTRIES || depth >= DEPTH {
                return Err(io::Error::other("there is too much in it"));
            }
            see(&path, &found)?;
            if found.is_dir() {
                folders.push((path, depth + 1));
            }
        }
    }
    Ok(())
}
