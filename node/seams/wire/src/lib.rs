//! What is sent and what is stored: API documents, stored records, agent frames.
//!
//! Knows every byte that leaves a process or reaches a disk; deliberately knows no transport and no store.
//! Within `ikigai.dev/v1` fields are only added. Start reading at [`api`], then [`agent`].
#![deny(missing_docs)]

pub mod agent;
pub mod api;
pub mod peer;
pub mod project;
pub mod record;
pub mod rpc;
pub mod terminal;
