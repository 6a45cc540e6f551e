//! The Forge and Signer ports on Radicle.
//!
//! Knows how to drive `radicle-node`, `rad` and `git-remote-rad` without a terminal and how a node's key is
//! written for them; deliberately knows no policy. Start reading at [`signer`].

pub mod signer;

pub use signer::{KeySigner, nid, node_id};
