//! One-time links that become sessions, for whoever opens something of a node in a browser.
//!
//! Knows who may come in until when; deliberately knows no clock, no cookie and no page. Secrets are made
//! elsewhere and are not kept: what is held is their hash. Start reading at [`Access`].
#![deny(missing_docs)]

mod access;
mod hash;

pub use access::{Access, Lives};
pub use hash::Hash;
