//! A node handle over HTTP: what the command line talks through.
//!
//! Knows how to reach a node by its Unix socket or by loopback HTTP with a token, and how to go on after a
//! break; deliberately knows nothing of what tasks mean. Start reading at [`node`], then `resume`.
#![deny(missing_docs)]

pub mod node;
pub mod place;

mod access;
mod call;
mod cost;
mod enrolment;
mod notices;
mod pin;
mod resume;
mod sse;
mod target;
mod terminal;

pub use cost::CostOf;
pub use node::RemoteNode;
pub use terminal::Terminal;
