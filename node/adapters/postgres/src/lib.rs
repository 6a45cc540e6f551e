//! The Arbiter port on PostgreSQL.
//!
//! Knows how a claim is kept as a row and how the server is reached; deliberately knows no rule of who gets what:
//! that is `ikigai_ports::arbiter`. Start reading at [`arbiter`].
#![deny(missing_docs)]

pub mod arbiter;
mod link;
#[cfg(feature = "testsuite")]
pub mod testsuite;

pub use arbiter::PostgresArbiter;
pub use link::PostgresOptions;
