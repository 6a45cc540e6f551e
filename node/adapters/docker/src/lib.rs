//! The Executor port on the Docker engine.
//!
//! Knows how a workload becomes a locked-down container and how the engine tells its end; deliberately knows
//! nothing of tasks, retries or time limits. Start reading at [`executor`], then [`body`], which holds every
//! flag a container gets.

pub mod body;
pub mod end;
pub mod executor;
pub mod failure;
pub mod host_paths;
pub mod isolation;
pub mod labels;
pub mod options;
pub mod output;
pub mod seccomp;
pub mod user;

pub use executor::DockerExecutor;
pub use options::{DEFAULT_SOCKET, DockerOptions, HostPaths};
