//! The Store port on sled, made durable by syncing its files.
//!
//! Knows sled's batches and files, and that sled 0.34's `flush` is no `fsync`; deliberately knows nothing of
//! what is stored. Start reading at [`SledStore`]; [`sync`] is what makes an answer durable.

mod store;
pub mod sync;
mod tree;
mod writer;

pub use store::SledStore;
pub use sync::{FileSync, Syncer};
