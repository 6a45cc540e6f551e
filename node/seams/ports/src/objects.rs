//! Git objects of a project, as they move between nodes.

use crate::PortResult;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use ikigai_types::{Commit, ProjectId};
use std::fmt;

/// Pieces of a pack, in order.
pub type Pack = BoxStream<'static, PortResult<Bytes>>;

/// The largest pack that is taken in: 2 GiB.
pub const MAX_PACK: u64 = 2 << 30;

/// The git objects of a node's bare copies.
///
/// What comes from a peer is checked (`fsck`) before anything refers to it, and never runs anything.
#[async_trait]
pub trait Objects: fmt::Debug + Send + Sync + 'static {
    /// Whether `commit` and everything it reaches is there.
    async fn has(&self, project: &ProjectId, commit: &Commit) -> PortResult<bool>;

    /// Up to `limit` commits to tell another node, so that it sends only what is missing: heads first.
    async fn tips(&self, project: &ProjectId, limit: usize) -> PortResult<Vec<Commit>>;

    /// Everything `want` reaches that none of `have` does; commits of `have` that are unknown here are
    /// passed over. [`crate::PortError::NotFound`] when `want` is not there.
    async fn pack(&self, project: &ProjectId, want: &Commit, have: &[Commit]) -> PortResult<Pack>;

    /// Takes a pack in; afterwards `want` and all it reaches is there and kept by a ref, or nothing changed.
    /// [`crate::PortError::Corrupt`] when the pack is not whole, [`crate::PortError::Refused`] when it is larger
    /// than [`MAX_PACK`]. Makes the bare copy when there is none.
    async fn unpack(&self, project: &ProjectId, want: &Commit, pack: Pack) -> PortResult<()>;
}
