//! What a machine offers to hold a workload with.

use std::path::PathBuf;

/// Where the programs and the control groups are. The default is right on a Debian machine.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// The bubblewrap program, searched on PATH when it has no folder.
    pub bwrap: PathBuf,
    /// Where control groups are mounted; `None` to do without them.
    pub cgroups: Option<PathBuf>,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self { bwrap: "bwrap".into(), cgroups: Some("/sys/fs/cgroup".into()) }
    }
}
