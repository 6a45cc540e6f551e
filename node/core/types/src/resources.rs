//! Quantities: what a node has, what a task asks, what a workload is held to.

use crate::time::millis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Quantities of a node or of a request. Capability is never capacity: quantities are always this type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// Thousandths of a CPU core.
    pub cpu_millis: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of disk.
    pub disk_bytes: u64,
    /// Whole GPUs.
    pub gpus: u64,
    /// Workload slots.
    pub slots: u64,
}

impl Resources {
    /// True if each quantity of `request` is there.
    pub fn covers(&self, request: &Self) -> bool {
        self.lacks(request).is_none()
    }

    /// The first quantity of `request` that is not there: its name, what is asked, what there is.
    pub fn lacks(&self, request: &Self) -> Option<(&'static str, u64, u64)> {
        let pairs = self.fields().into_iter().zip(request.fields());
        pairs.map(|((name, have), (_, want))| (name, want, have)).find(|(_, want, have)| want > have)
    }

    /// Sum, each quantity saturating.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// Difference, each quantity stopping at zero.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    fn fields(&self) -> [(&'static str, u64); 5] {
        [
            ("cpu", self.cpu_millis),
            ("memory", self.memory_bytes),
            ("disk", self.disk_bytes),
            ("gpu", self.gpus),
            ("slot", self.slots),
        ]
    }

    fn zip(&self, o: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            cpu_millis: f(self.cpu_millis, o.cpu_millis),
            memory_bytes: f(self.memory_bytes, o.memory_bytes),
            disk_bytes: f(self.disk_bytes, o.disk_bytes),
            gpus: f(self.gpus, o.gpus),
            slots: f(self.slots, o.slots),
        }
    }
}

/// What a workload is held to. Zero never means "no limit": every limit is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Bytes of memory, swap included.
    pub memory_bytes: u64,
    /// Thousandths of a CPU core.
    pub cpu_millis: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes the workspace may hold.
    pub disk_bytes: u64,
    /// Wall-clock time of one attempt, as milliseconds; stands still while paused.
    #[serde(rename = "timeMs", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub time: Duration,
    /// Longest silence before the attempt counts as stalled, as milliseconds.
    #[serde(rename = "stallMs", with = "millis")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub stall: Duration,
    /// Model calls of one attempt; as many as it wants when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 2 << 30,
            cpu_millis: 1000,
            pids: 512,
            disk_bytes: 4 << 30,
            time: Duration::from_secs(3600),
            stall: Duration::from_secs(300),
            max_turns: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lacks_names_the_first_shortage() {
        let have = Resources { cpu_millis: 1000, memory_bytes: 10, ..Default::default() };
        let want = Resources { cpu_millis: 500, memory_bytes: 11, ..Default::default() };
        assert_eq!(have.lacks(&want), Some(("memory", 11, 10)));
        assert!(have.plus(&want).covers(&want));
        assert_eq!(have.minus(&want).memory_bytes, 0);
    }
}
