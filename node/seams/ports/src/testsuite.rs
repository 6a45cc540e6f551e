//! The conformance suites: what every backend of a port is held to, called from a ten-line test in each.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)] // A suite is a test: it fails by panicking.

pub mod arbiter;
pub mod chance;
pub mod crash;
pub mod escape;
pub mod executor;
pub mod fake_node;
pub mod forge;
pub mod kill;
pub mod logs;
pub mod mesh;
pub mod store;
pub mod torn;
