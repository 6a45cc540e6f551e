//! This machine: its clock, its randomness, what it has.

use async_trait::async_trait;
use ikigai_ports::{Clock, Rng};
use ikigai_types::{Resources, Timestamp};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::path::Path;
use std::time::Duration;

/// The machine's clock: the time of day when the node was started, and from then on what the kernel counts,
/// sleep of the machine included. Setting the time of day moves no lease.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    begun: Timestamp,
    at: Duration,
}

impl Default for SystemClock {
    fn default() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let begun = Timestamp(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)));
        Self { begun, at: counted() }
    }
}

/// Time since the machine was started.
fn counted() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.begun.after(counted().saturating_sub(self.at))
    }

    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }
}

/// The minute of the local day at `at`, by this machine's time zone.
pub(crate) fn local_minute(at: Timestamp) -> u16 {
    use chrono::{DateTime, Local, Timelike};
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    let local = DateTime::from_timestamp_millis(millis).unwrap_or_default().with_timezone(&Local);
    u16::try_from(local.hour() * 60 + local.minute()).unwrap_or(0)
}

/// The machine's randomness.
#[derive(Debug)]
pub struct SystemRng(SystemRandom);

impl Default for SystemRng {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes).expect("invariant: the kernel gives random bytes");
    }
}

/// All this machine has, its cgroup's limits honoured; `folder` tells which disk is meant.
pub fn capacity(folder: &Path) -> Resources {
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    Resources {
        cpu_millis: cpus * 1000,
        memory_bytes: memory(),
        disk_bytes: disk(folder),
        gpus: gpus(),
        slots: cpus.max(2),
    }
}

fn memory() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|l| l.strip_prefix("MemTotal:"));
    let kib = total.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0);
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .filter_map(|f| std::fs::read_to_string(f).ok()?.trim().parse::<u64>().ok())
        .fold(kib << 10, u64::min)
}

/// What is free on the disk of `folder`, in bytes.
pub fn disk(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |s| s.f_bavail.saturating_mul(s.f_frsize))
}

fn gpus() -> u64 {
    let cards = std::fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten();
    cards.count() as u64
}

/// The host's name.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "node".to_owned() } else { name.to_owned() }
}
