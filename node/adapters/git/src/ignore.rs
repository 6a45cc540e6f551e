//! Asks git which paths of a workspace its `.gitignore` files leave out.

use crate::command::Git;
use ikigai_ports::{PortError, PortResult};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// A running `git check-ignore`, asked one path at a time.
#[derive(Debug)]
pub(crate) struct Ignore {
    child: Child,
    ask: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
}

impl Ignore {
    /// Starts it over `tree`. It knows no index: with one it would compare each path with each entry.
    pub fn start(git: &Git, bare: &Path, tree: &Path) -> PortResult<Self> {
        let mut command = git.clean("git").into_std();
        command.arg("--git-dir").arg(bare).arg("--work-tree").arg(tree).current_dir(tree);
        command.args(["check-ignore", "-z", "--stdin", "--verbose", "--non-matching", "--no-index"]);
        // It knows no literal mode; a path that begins with `./` has no magic.
        command.env_remove("GIT_LITERAL_PATHSPECS");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| PortError::unavailable("git", e))?;
        let ask = child.stdin.take();
        let hear = child.stdout.take().map(BufReader::new);
        let hear = hear.expect("invariant: stdout is piped");
        Ok(Self { child, ask, hear })
    }

    /// Whether a rule leaves out the file or folder at `path`. When git cannot say, nothing is: rather too much
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

impl Drop for Ignore {
    fn drop(&mut self) {
        self.ask = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
