//! One file of a checkout: read whole, replaced whole if it still is what it was.

use super::{FILE, hash};
use crate::hostile::{Folder, Kind};
use ikigai_ports::checkout::{ContentHash, Read};
use ikigai_ports::{PortError, PortResult};
use rustix::fs::RenameFlags;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};

/// A file's folder, held open, and its name there.
struct Place {
    folder: Folder,
    name: OsString,
    /// The folder's path, for calls that need one.
    path: PathBuf,
}

/// Reads the file `path` of `checkout`.
pub(super) fn read(checkout: &Path, path: &Path) -> PortResult<Read> {
    let bytes = read_at(&find(checkout, path)?, path)?;
    Ok(Read { hash: hash(&bytes), bytes })
}

/// Replaces the file if its content still has the hash `expected`.
pub(super) fn write_if(checkout: &Path, path: &Path, expected: &ContentHash, bytes: &[u8]) -> PortResult<()> {
    let place = find(checkout, path)?;
    let changed = || PortError::Conflict(format!("{} has changed; read it again", path.display()));
    if hash(&read_at(&place, path)?) != *expected {
        return Err(changed());
    }
    let failed = |e: io::Error| PortError::failed(format!("writing {}", path.display()), e);
    let old = place.path.join(&place.name);
    let new = place.path.join(format!(".{}.ikigai-{}", place.name.to_string_lossy(), std::process::id()));
    let swapped = prepare(&old, &new, bytes).and_then(|()| swap(&new, &old));
    let kept = match swapped {
        Err(e) => {
            let _ = fs::remove_file(&new);
            return Err(failed(e));
        }
        // The old content is at the new name now: whoever saved in between is found here.
        Ok(true) => fs::read(&new).map(|old| hash(&old) == *expected).map_err(failed)?,
        Ok(false) => true,
    };
    if !kept {
        swap(&new, &old).map_err(failed)?;
    }
    let _ = fs::remove_file(&new);
    fs::File::open(&place.path).and_then(|folder| folder.sync_all()).map_err(failed)?;
    if kept { Ok(()) } else { Err(changed()) }
}

/// Writes the new content with the old one's owner and mode, on disk before it has the name.
fn prepare(old: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    let meta = fs::symlink_metadata(old)?;
    let _ = fs::remove_file(new);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    file.write_all(bytes)?;
    if file.metadata()?.uid() != meta.uid() || file.metadata()?.gid() != meta.gid() {
        fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(meta.mode() & 0o7777))?;
    file.sync_all()
}

/// Exchanges two files at once; `false` where the file system can only put the first over the second.
fn swap(new: &Path, old: &Path) -> io::Result<bool> {
    let here = rustix::fs::CWD;
    match rustix::fs::renameat_with(here, new, here, old, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(new, old).map(|()| false),
        Err(e) => Err(e.into()),
    }
}

fn read_at(place: &Place, path: &Path) -> PortResult<Vec<u8>> {
    match place.folder.kind(&place.name) {
        Ok(Kind::File { bytes, .. }) if bytes > FILE => {
            Err(PortError::Refused(format!("{} is larger than {} MiB", path.display(), FILE >> 20)))
        }
        Ok(Kind::File { .. }) => {
            let read = place.folder.read(&place.name, FILE);
            read.map_err(|e| PortError::failed(format!("reading {}", path.display()), e))
        }
        Ok(_) => Err(PortError::Refused(format!("{} is not a regular file", path.display()))),
        Err(e) => Err(missing(&e, path)),
    }
}

/// Goes down to the file's folder without following a link.
fn find(checkout: &Path, path: &Path) -> PortResult<Place> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name),
            _ => return Err(PortError::Refused(format!("{} lies outside the checkout", path.display()))),
        }
    }
    let name = names.pop().ok_or_else(|| PortError::Refused("an empty path names no file".to_owned()))?;
    let mut place = Place {
        folder: Folder::open(checkout).map_err(|e| missing(&e, checkout))?,
        name: name.to_owned(),
        path: checkout.to_owned(),
    };
    for part in names {
        place.folder = place.folder.folder(part).map_err(|e| missing(&e, path))?;
        place.path.push(part);
    }
    Ok(place)
}

fn missing(error: &io::Error, path: &Path) -> PortError {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => PortError::NotFound(path.display().to_string()),
        // What O_NOFOLLOW and O_DIRECTORY answer for a link or a file in the way.
        Some(Errno::NOTDIR | Errno::LOOP) => PortError::Refused(format!(
            "{} goes through a link or a file; give a path of plain folders",
            path.display()
        )),
        _ => PortError::failed(format!("reading {}", path.display()), io::Error::from(error.kind())),
    }
}
