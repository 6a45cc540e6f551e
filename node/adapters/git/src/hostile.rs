//! Reads a folder that a hostile program filled, without following a link out of it or waiting on a pipe.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A folder held open: what is renamed or linked over its path later changes nothing.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File {
        bytes: u64,
        on_disk: u64,
        executable: bool,
    },
    Link,
    /// A pipe, socket or device.
    Other,
}

impl Folder {
    /// Opens the folder at `path`, whose parents are ours.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(CWD, path, FOLDER, Mode::empty())?))
    }

    /// Opens the folder `name` in this one; an error when it is a link or no folder.
    pub fn folder(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, name, FOLDER, Mode::empty())?))
    }

    /// Opens the regular file `name` in this one; answers its size too.
    pub fn file(&self, name: &OsStr) -> io::Result<(File, u64)> {
        let fd = rustix::fs::openat(&self.0, name, FILE, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok((File::from(fd), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    /// Reads the regular file `name` if it has at most `limit` bytes.
    pub fn read(&self, name: &OsStr, limit: u64) -> io::Result<Vec<u8>> {
        let (file, _) = self.file(name)?;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "file is too large"));
        }
        Ok(bytes)
    }

    /// Makes `to` a second name of the file `name`; a symbolic link is linked itself, not what it points at.
    pub fn link_to(&self, name: &OsStr, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.0, name, CWD, to, AtFlags::empty())?)
    }

    /// Where the link `name` points; nothing is followed.
    pub fn link(&self, name: &OsStr) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// What `name` is, itself.
    pub fn kind(&self, name: &OsStr) -> io::Result<Kind> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File {
                bytes: u64::try_from(stat.st_size).unwrap_or(0),
                on_disk: u64::try_from(stat.st_blocks).unwrap_or(0) * 512,
                executable: stat.st_mode & 0o100 != 0,
            },
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        })
    }

    /// Names in this folder, sorted, at most `limit`; an error when there are more.
    pub fn names(&self, limit: usize) -> io::Result<Vec<OsString>> {
        let own = rustix::fs::openat(&self.0, c".", FOLDER, Mode::empty())?;
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut entries = RawDir::new(own, &mut buffer);
        let mut names = Vec::new();
        while let Some(entry) = entries.next() {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
            if names.len() > limit {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "too many files in one folder"));
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Disk a folder uses, in bytes: what links point at is not counted, what cannot be read is left out.
pub(crate) fn usage(folder: &Folder, left: &mut usize) -> u64 {
    let mut sum = 0;
    for name in folder.names(*left).unwrap_or_default() {
        *left = left.saturating_sub(1);
        sum += match folder.kind(&name) {
            Ok(Kind::File { on_disk, .. }) => on_disk,
            Ok(Kind::Folder) => folder.folder(&name).map_or(0, |inner| usage(&inner, left)),
            _ => 0,
        };
    }
    sum
}
