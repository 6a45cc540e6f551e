//! The Executor port on local processes held by bubblewrap, for machines without Docker.
//!
//! Knows how a sandbox is put together from namespaces, control groups and a system-call filter, and how a
//! workload is found again by the folder it is recorded in; deliberately knows nothing of tasks, retries or
//! time limits. Start reading at [`executor`], then [`sandbox`], which holds every flag, then `supervise.sh`,
//! which outlives the node.

pub mod cgroups;
pub mod executor;
pub mod folder;
pub mod isolation;
pub mod options;
pub mod output;
pub mod process;
pub mod sandbox;
pub mod seccomp;
pub mod watch;

pub use executor::ProcessExecutor;
pub use options::ProcessOptions;
