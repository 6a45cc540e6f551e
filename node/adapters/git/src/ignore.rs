//! Asks git which paths of a workspace its `.gitignore` files leave out.

use crate::command::Git;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, PortResult};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A running `git check-ignore`, asked one path at a time.
#[derive(Debug)]
pub(crate) struct Ignore {
    child: Child,
    ask: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
    index: PathBuf,
}

impl Ignore {
    /// Starts it over `tree`, with an index of our own that holds `commit`: what is tracked is not ignored.
    pub async fn start(
        git: &Git,
        bare: &Path,
        tree: &Path,
        index: &Path,
        commit: &Commit,
    ) -> PortResult<Self> {
        git.bare(bare, "read-tree").arg(&commit.0).env("GIT_INDEX_FILE", index).run().await?;
        let links = git.bare(bare, "ls-tree").args(["-r", "-z", &commit.0]).limit(256 << 20).run().await?;
        let links = links.split(|&b| b == 0).filter(|entry| entry.starts_with(b"160000 "));
        let drop: Vec<u8> = links.filter_map(forget).flatten().collect();
        if !drop.is_empty() {
            // git asks nothing below a submodule, and an agent can make one of any folder.
            let update = git.bare(bare, "update-index").args(["-z", "--index-info"]).input(drop);
            update.env("GIT_INDEX_FILE", index).run().await?;
        }
        let mut command = git.clean("git").into_std();
        command.arg("--git-dir").arg(bare).arg("--work-tree").arg(tree).current_dir(tree);
        command.args(["check-ignore", "-z", "--stdin", "--verbose", "--non-matching"]);
        // It knows no literal mode; a path that begins with `./` has no magic.
        command.env("GIT_INDEX_FILE", index).env_remove("GIT_LITERAL_PATHSPECS");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| PortError::unavailable("git", e))?;
        let ask = child.stdin.take();
        let hear = child.stdout.take().map(BufReader::new);
        let hear = hear.expect("invariant: stdout is piped");
        Ok(Self { child, ask, hear, index: index.to_owned() })
    }

    /// Whether the file or folder at `path` is left out. When git cannot say, nothing is: rather too much
    /// is saved than too little.
    pub fn ignores(&mut self, path: &[u8], folder: bool) -> bool {
        if self.ask.is_none() {
            return false;
        }
        self.try_ignores(path, folder).unwrap_or_else(|error| {
            tracing::warn!(%error, "git cannot say what is ignored; the rest is saved whole");
            self.ask = None;
            false
        })
    }

    fn try_ignores(&mut self, path: &[u8], folder: bool) -> io::Result<bool> {
        let ask = self.ask.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        ask.write_all(b"./")?;
        ask.write_all(path)?;
        ask.write_all(if folder { b"/\0" } else { b"\0" })?;
        ask.flush()?;
        // Source, line, pattern, path; the first three are empty when nothing matched.
        let _source = self.field()?;
        let _line = self.field()?;
        let pattern = self.field()?;
        let _path = self.field()?;
        Ok(!pattern.is_empty() && !pattern.starts_with(b"!"))
    }

    fn field(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.hear.read_until(0, &mut bytes)?;
        match bytes.pop() {
            Some(0) => Ok(bytes),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "git check-ignore ended")),
        }
    }
}

/// The index line that forgets the entry of an `ls-tree` line.
fn forget(entry: &[u8]) -> Option<Vec<u8>> {
    let path = entry.splitn(2, |&b| b == b'\t').nth(1)?;
    let id = entry.splitn(3, |&b| b == b' ').nth(2)?.split(|&b| b == b'\t').next()?;
    Some([b"0 ", id, b"\t", path, b"\0"].concat())
}

impl Drop for Ignore {
    fn drop(&mut self) {
        self.ask = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.index);
    }
}
