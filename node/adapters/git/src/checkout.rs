//! The Checkout port: a person's own files, read and changed as carefully as a person would.

use crate::command::Call;
use crate::copies::Copies;
use async_trait::async_trait;
use ikigai_ports::checkout::{ContentHash, Read};
use ikigai_ports::{Checkout, PortError, PortResult, Signer};
use ikigai_types::{Commit, ProjectId};
use ssh_key::HashAlg;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod file;
mod journal;
mod tree;

/// Greatest file that is read.
const FILE: u64 = 16 << 20;

/// What a merge, rebase or the like leaves in `.git` while it is under way.
const UNDER_WAY: [&str; 7] = [
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "BISECT_LOG",
    "rebase-merge",
    "rebase-apply",
    "index.lock",
];

/// Checkouts on this machine. Where this process is root, git runs as the checkout's owner.
#[derive(Debug, Clone)]
pub struct GitCheckout {
    copies: Copies,
    /// One change of a checkout's files at a time within this process.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl GitCheckout {
    /// Checkouts whose projects have their bare copies under `folder`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn new(folder: PathBuf) -> PortResult<Self> {
        Ok(Self { copies: Copies::open(&folder)?, turn: Arc::default() })
    }

    /// A call of git in `checkout` that runs no hook, filter, monitor or editor, as its owner.
    fn call(&self, checkout: &Path, verb: &str) -> PortResult<Call> {
        let meta = std::fs::metadata(checkout)
            .map_err(|_| PortError::NotFound(format!("a checkout at {}", checkout.display())))?;
        let mut call = self.copies.git().call(verb).within(checkout);
        for (key, value) in [
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("core.attributesFile", "/dev/null"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("submodule.recurse", "false"),
            ("merge.verifySignatures", "false"),
            ("merge.autoStash", "false"),
            ("safe.directory", "*"),
        ] {
            call = call.setting(key, value);
        }
        for (name, value) in [("NAME", "Ikigai node"), ("EMAIL", "node@ikigai.invalid")] {
            call = call.env(&format!("GIT_COMMITTER_{name}"), value);
        }
        if rustix::process::geteuid().is_root() && meta.uid() != 0 {
            // The node's own settings may lie where the owner cannot read.
            call = call.user(meta.uid(), meta.gid()).env("HOME", "/nonexistent");
            call = call.env("XDG_CONFIG_HOME", "/nonexistent").env("GIT_CONFIG_GLOBAL", "/dev/null");
        }
        Ok(call)
    }

    /// The checkout's git folder and the commit of the branch it is on, if a commit or merge may begin there now.
    async fn at_rest(&self, checkout: &Path) -> PortResult<Option<Rest>> {
        let ask = self.call(checkout, "rev-parse")?.args(["--path-format=absolute", "--git-dir"]);
        let answer = ask.args(["HEAD^{commit}", "--symbolic-full-name", "HEAD"]).answer().await?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let mut lines = text.trim_end_matches('\n').rsplitn(3, '\n');
        let (branch, head, folder) = (lines.next(), lines.next(), lines.next());
        let (Some(branch), Some(head), Some(folder)) = (branch, head, folder) else { return Ok(None) };
        let rest = Rest { folder: PathBuf::from(folder), head: Commit(head.to_owned()) };
        let busy = || UNDER_WAY.iter().any(|name| rest.folder.join(name).exists());
        // On no branch it says `HEAD` again.
        let sound = answer.code == 0 && branch.starts_with("refs/") && crate::commit::is_object_id(head);
        Ok((sound && !busy()).then_some(rest))
    }

    /// Whether one of `paths` (NUL after each) goes through a filter, which would have to run.
    async fn filtered(&self, checkout: &Path, paths: Vec<u8>) -> PortResult<bool> {
        let ask = self.call(checkout, "check-attr")?.args(["-z", "--stdin", "filter"]).input(paths);
        let out = ask.limit(256 << 20).run().await?;
        let mut fields = out.split(|&b| b == 0);
        while let (Some(_), Some(_), Some(value)) = (fields.next(), fields.next(), fields.next()) {
            if !matches!(value, b"unspecified" | b"unset" | b"") {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A checkout on a branch with a commit, and nothing under way.
struct Rest {
    folder: PathBuf,
    head: Commit,
}

#[async_trait]
impl Checkout for GitCheckout {
    async fn read(&self, checkout: &Path, path: &Path) -> PortResult<Read> {
        let (checkout, path) = (checkout.to_owned(), path.to_owned());
        crate::workspaces::blocking(move || file::read(&checkout, &path)).await?
    }

    async fn write_if(
        &self,
        checkout: &Path,
        path: &Path,
        expected: &ContentHash,
        bytes: Vec<u8>,
    ) -> PortResult<()> {
        let _turn = self.turn.clone().lock_owned().await;
        let journal = journal::Journal::of(&self.copies, checkout, path);
        let (checkout, path, expected) = (checkout.to_owned(), path.to_owned(), *expected);
        let write = move || {
            journal.will_write(&expected, &hash(&bytes))?;
            file::write_if(&checkout, &path, &expected, &bytes)
        };
        crate::workspaces::blocking(write).await?
    }

    async fn commit_file(
        &self,
        checkout: &Path,
        path: &Path,
        message: &str,
        signer: &dyn Signer,
    ) -> PortResult<Option<Commit>> {
        let _turn = self.turn.lock().await;
        tree::commit_file(self, checkout, path, message, signer).await
    }

    async fn fast_forward(&self, project: &ProjectId, checkout: &Path, commit: &Commit) -> PortResult<bool> {
        let _turn = self.turn.lock().await;
        tree::fast_forward(self, project, checkout, commit).await
    }
}

fn hash(bytes: &[u8]) -> ContentHash {
    let digest = HashAlg::Sha256.digest(bytes);
    ContentHash(digest.try_into().expect("invariant: SHA-256 has 32 bytes"))
}
