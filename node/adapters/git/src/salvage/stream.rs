//! Walks a hostile workspace and writes what is in it as a `git fast-import` stream.

use crate::hostile::{Folder, Kind};
use crate::ignore::Ignore;
use crate::view::View;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Most files that are saved.
const FILES: usize = 500_000;
/// Greatest file that is saved whole; greater ones are named in the commit message only.
const FILE: u64 = 256 << 20;
/// Most bytes that are saved.
const BYTES: u64 = 4 << 30;
/// Deepest folder that is looked into.
const DEPTH: usize = 200;

/// What is to be saved, and as what.
pub(super) struct Leftover {
    pub workspace: PathBuf,
    /// `ls-tree -r -z` of the parent.
    pub list: Vec<u8>,
    pub view: View,
    pub ignore: Ignore,
    pub reference: String,
    pub parent: String,
    pub committer: String,
    pub message: String,
}

impl Leftover {
    /// Writes the whole stream: one commit on `parent` whose tree is what the workspace holds, with the
    /// hidden files of the parent as they were.
    pub fn write(mut self, pipe: &mut dyn Write) -> io::Result<()> {
        let root = Folder::open(&self.workspace)?;
        let tracked = tracked(&self.list);
        let mut walk =
            Walk { entries: Vec::new(), left_out: Vec::new(), files: FILES, bytes: BYTES, tracked };
        walk.folder(&root, b"", 0, &mut self.ignore, pipe)?;
        let mut message = self.message;
        if !walk.left_out.is_empty() {
            message.push_str("\nToo large or too many to save:\n");
            walk.left_out
                .iter()
                .take(100)
                .for_each(|p| message.push_str(&format!("- {}\n", p.escape_ascii())));
        }
        writeln!(
            pipe,
            "commit {}\ncommitter {} now\ndata {}",
            self.reference,
            self.committer,
            message.len()
        )?;
        pipe.write_all(message.as_bytes())?;
        writeln!(pipe, "\nfrom {}\ndeleteall", self.parent)?;
        for (mode, id, path) in tree_entries(&self.list) {
            if mode == b"160000" || self.view.hides(path) {
                modify(pipe, mode, id, path)?;
            }
        }
        for (mode, mark, path) in &walk.entries {
            modify(pipe, mode, format!(":{mark}").as_bytes(), path)?;
        }
        pipe.write_all(b"\ndone\n")
    }
}

struct Walk {
    entries: Vec<(&'static [u8], usize, Vec<u8>)>,
    left_out: Vec<Vec<u8>>,
    files: usize,
    bytes: u64,
    /// Paths of the parent's files and of the folders they are in: no rule leaves those out.
    tracked: HashSet<Vec<u8>>,
}

impl Walk {
    fn folder(
        &mut self,
        folder: &Folder,
        path: &[u8],
        depth: usize,
        ignore: &mut Ignore,
        pipe: &mut dyn Write,
    ) -> io::Result<()> {
        // One folder that cannot be read must not lose all the others.
        let names = folder.names(FILES).unwrap_or_default();
        for name in names {
            let full = join(path, name.as_bytes());
            let kind = folder.kind(&name);
            if is_git_folder(&name) || matches!(kind, Ok(Kind::Other) | Err(_)) {
                continue;
            }
            if !self.tracked.contains(&full) && ignore.ignores(&full, matches!(kind, Ok(Kind::Folder))) {
                continue;
            }
            match kind {
                Ok(Kind::Folder) if depth < DEPTH => {
                    if let Ok(inner) = folder.folder(&name) {
                        self.folder(&inner, &full, depth + 1, ignore, pipe)?;
                    }
                }
                Ok(Kind::File { bytes, executable, .. }) => {
                    self.file(folder, &name, full, bytes, executable, pipe)?;
                }
                Ok(Kind::Link) => {
                    if let Ok(target) = folder.link(&name) {
                        let mark = self.blob(target.len() as u64, &mut &target[..], pipe)?;
                        self.entries.push((b"120000", mark, full));
                    }
                }
                _ => self.left_out.push(full),
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        folder: &Folder,
        name: &OsStr,
        path: Vec<u8>,
        bytes: u64,
        executable: bool,
        pipe: &mut dyn Write,
    ) -> io::Result<()> {
        if bytes > FILE || bytes > self.bytes || self.entries.len() >= self.files {
            self.left_out.push(path);
            return Ok(());
        }
        let Ok((mut file, size)) = folder.file(name) else {
            self.left_out.push(path);
            return Ok(());
        };
        let size = size.min(FILE);
        self.bytes = self.bytes.saturating_sub(size);
        let mark = self.blob(size, &mut file, pipe)?;
        self.entries.push((if executable { b"100755" } else { b"100644" }, mark, path));
        Ok(())
    }

    /// Writes a blob of exactly `size` bytes: what shrank meanwhile is filled up, as the length is out already.
    fn blob(&mut self, size: u64, from: &mut dyn Read, pipe: &mut dyn Write) -> io::Result<usize> {
        let mark = self.entries.len() + 1;
        write!(pipe, "blob\nmark :{mark}\ndata {size}\n")?;
        let copied = io::copy(&mut from.take(size), pipe)?;
        io::copy(&mut io::repeat(0).take(size - copied), pipe)?;
        writeln!(pipe)?;
        Ok(mark)
    }
}

/// `.git` and the names file systems of others take for it; git would refuse a tree with them.
fn is_git_folder(name: &OsString) -> bool {
    let name = name.as_bytes();
    name.eq_ignore_ascii_case(b".git") || name.to_ascii_lowercase().starts_with(b"git~")
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// Every path of a tree, and every folder on the way to it.
fn tracked(list: &[u8]) -> HashSet<Vec<u8>> {
    let mut paths = HashSet::new();
    for (_, _, path) in tree_entries(list) {
        let folders = path.iter().enumerate().filter(|&(_, &b)| b == b'/').map(|(at, _)| path[..at].to_vec());
        paths.extend(folders);
        paths.insert(path.to_vec());
    }
    paths
}

fn tree_entries(list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    list.split(|&b| b == 0).filter_map(|record| {
        let tab = record.iter().position(|&b| b == b'\t')?;
        let mut head = record[..tab].split(|&b| b == b' ');
        let (mode, _, id) = (head.next()?, head.next()?, head.next()?);
        Some((mode, id, &record[tab + 1..]))
    })
}

/// One line that puts an object at a path, which is always quoted.
fn modify(pipe: &mut dyn Write, mode: &[u8], what: &[u8], path: &[u8]) -> io::Result<()> {
    let mut line = [b"M ", mode, b" ", what, b" \""].concat();
    for &b in path {
        match b {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', b]),
            0x20..=0x7e => line.push(b),
            _ => line.extend_from_slice(format!("\\{b:03o}").as_bytes()),
        }
    }
    line.extend_from_slice(b"\"\n");
    pipe.write_all(&line)
}
