//! The person's own checkout: read, and changed only by compare-and-swap and by fast-forward.

use crate::{PortResult, Signer};
use async_trait::async_trait;
use ikigai_types::{Commit, ProjectId};
use std::fmt;
use std::path::Path;

/// A project's checkout, which belongs to a person. Nothing here forces, stashes, resets or runs a hook.
#[async_trait]
pub trait Checkout: fmt::Debug + Send + Sync + 'static {
    /// A file of it, `path` relative; [`crate::PortError::NotFound`] when there is none,
    /// [`crate::PortError::Refused`] when it lies outside or is larger than 16 MiB.
    async fn read(&self, checkout: &Path, path: &Path) -> PortResult<Read>;

    /// Replaces a file if it still has the content `expected` is of, keeping owner and mode;
    /// [`crate::PortError::Conflict`] otherwise. A reader sees the old content or the new one, whole.
    async fn write_if(
        &self,
        checkout: &Path,
        path: &Path,
        expected: &ContentHash,
        bytes: Vec<u8>,
    ) -> PortResult<()>;

    /// Commits that one file if it is all that is to be committed of it: `None` when it is unchanged, when
    /// the checkout is in the middle of something (merge, rebase), or when it is not a git checkout.
    async fn commit_file(
        &self,
        checkout: &Path,
        path: &Path,
        message: &str,
        signer: &dyn Signer,
    ) -> PortResult<Option<Commit>>;

    /// Brings the checkout to `commit` of the node's bare copy if that is a fast-forward of the branch it is
    /// on and touches no file the person has changed; answers whether it did.
    async fn fast_forward(&self, project: &ProjectId, checkout: &Path, commit: &Commit) -> PortResult<bool>;
}

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Hash of them.
    pub hash: ContentHash,
}

/// SHA-256 of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHash(pub [u8; 32]);
