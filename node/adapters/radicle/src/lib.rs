//! The Forge and Signer ports on Radicle.
//!
//! Knows how to drive `radicle-node`, `rad` and `git-remote-rad` without a terminal and how a node's key is
//! written for them; deliberately knows no policy. Start reading at [`forge`], then the supervisor.

mod cob;
mod control;
pub mod forge;
mod home;
mod patch;
mod process;
mod programs;
mod project;
pub mod signer;
mod supervisor;

pub use forge::RadicleForge;
pub use programs::RadicleOptions;
pub use signer::{KeySigner, nid, node_id};
