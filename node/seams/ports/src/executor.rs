//! Runs workloads: containers, or processes where there are none.

use crate::PortResult;
use async_trait::async_trait;
use futures::stream::BoxStream;
use ikigai_types::{Fence, Limits, NodeId, WorkloadId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub mod lines;
pub mod mounts;

/// Runs one workload per call and forgets it when told to.
///
/// * `launch` is idempotent by `spec.fence` and `spec.role`: a second call returns the same id.
/// * A workload outlives the process that launched it; `list` finds it again by its labels.
/// * Every method is cancel-safe; a dropped `logs` stream or `wait` stops nothing.
/// * Backends hold no policy: no retries, no queueing, no time limits, no capability checks.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// Starts the workload with no network, no privileges and the limits given; what this backend cannot
    /// hold it to is listed by [`Executor::isolation`].
    async fn launch(&self, spec: &WorkloadSpec) -> PortResult<WorkloadId>;

    /// Waits for the end and says how it came. Answers at once, and the same, when it already ended.
    async fn wait(&self, id: &WorkloadId) -> PortResult<Exit>;

    /// Everything the workload's first process wrote to stdout since its start, as lines in order, each
    /// exactly once, then what comes, until it ends. A line over 1 MiB comes in pieces; see [`lines`].
    async fn logs(&self, id: &WorkloadId) -> PortResult<BoxStream<'static, PortResult<String>>>;

    /// Stops all its processes from getting CPU time. Idempotent.
    async fn pause(&self, id: &WorkloadId) -> PortResult<()>;

    /// Undoes `pause`. Idempotent.
    async fn resume(&self, id: &WorkloadId) -> PortResult<()>;

    /// SIGTERM to its first process, SIGKILL to all after `grace`; a paused one is killed. Idempotent.
    async fn stop(&self, id: &WorkloadId, grace: Duration) -> PortResult<()>;

    /// Kills it if need be and forgets it and everything it wrote outside its mounts. Idempotent.
    async fn remove(&self, id: &WorkloadId) -> PortResult<()>;

    /// Every workload this node launched and has not removed, whoever is alive to remember it.
    async fn list(&self, node: NodeId) -> PortResult<Vec<Running>>;

    /// What holds a workload here, and what does not.
    fn isolation(&self) -> Isolation;
}

/// What to run. Everything in it is chosen by the node, never by the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadSpec {
    /// The node that launches it (label).
    pub node: NodeId,
    /// Attempt and epoch (labels).
    pub fence: Fence,
    /// What it is for (label); one attempt may have one of each.
    pub role: Role,
    /// The image by digest (`sha256:…`). The process executor ignores it.
    pub image: String,
    /// Program and arguments of the first process.
    pub command: Vec<String>,
    /// Environment; never a credential.
    pub env: BTreeMap<String, String>,
    /// Folders it sees; nothing else of the host.
    pub mounts: Vec<Mount>,
    /// Working directory inside.
    pub workdir: PathBuf,
    /// What it is held to.
    pub limits: Limits,
}

/// What a workload is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An agent that works on a task.
    Agent,
    /// The checks of a result, from a clean checkout.
    Check,
}

/// A host folder shown inside a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Folder on the host; it exists.
    pub source: PathBuf,
    /// Where the workload sees it.
    pub target: PathBuf,
    /// Whether the workload may write.
    pub read_only: bool,
}

/// How a workload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code of the first process; 128 + n after signal n.
    pub code: i32,
    /// Whether the kernel ended its first process for want of memory.
    pub out_of_memory: bool,
    /// What the executor says beyond that, such as why a start failed.
    pub detail: Option<String>,
}

/// A workload found by [`Executor::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// What to call it.
    pub id: WorkloadId,
    /// Attempt and epoch it was launched for.
    pub fence: Fence,
    /// What it is for.
    pub role: Role,
    /// Running, paused or ended.
    pub phase: Phase,
}

/// What a workload is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has CPU time.
    Running,
    /// It has none.
    Paused,
    /// Its first process ended.
    Ended,
}

/// What holds a workload, in words for `ikigai doctor` and the task's record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// `docker`, `bubblewrap`, …
    pub name: String,
    /// What is enforced, one phrase each.
    pub enforced: Vec<String>,
    /// What is not, one phrase each; empty when nothing is missing.
    pub missing: Vec<String>,
}

/// User and group id every workload runs as.
pub const WORKLOAD_UID: u32 = 10_001;
