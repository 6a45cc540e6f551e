//! The Store port on redb.
//!
//! Knows redb's transactions, its files and its way to fail; deliberately knows nothing of what is stored.
//! Start reading at [`RedbStore`]; `writer` is where commits become durable.

mod database;
mod store;
mod writer;

pub use store::RedbStore;
