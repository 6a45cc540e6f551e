//! B0, measured first in every run: what this machine can do at most, and what else it does.
#![allow(dead_code)] // Each bench takes what it needs.

use super::paired::median;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Bytes of a small durable record.
pub const BYTES: usize = 256;

/// Where measurements are made: beside the build, because the system's folder for such may be memory, which a
/// sync costs nothing.
pub fn folder() -> tempfile::TempDir {
    let folder = std::env::var("IKIGAI_BENCH_FOLDER").unwrap_or_else(|_| env!("CARGO_TARGET_TMPDIR").into());
    tempfile::Builder::new().prefix("bench").tempdir_in(folder).unwrap()
}

/// The limits of the machine.
pub struct Floor {
    flushes: f64,
    fork_ms: f64,
}

impl Floor {
    /// Measures them, prints them as a record, and says when the machine is busy with other work.
    pub fn measure() -> Self {
        let floor = Self { flushes: flushes(), fork_ms: fork_ms() };
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|load| load.parse::<f64>().ok());
        let (flushes, fork) = (floor.flushes.round(), super::bar::round(floor.fork_ms));
        println!(
            "{}",
            json!({"bench": "B0", "append_fdatasync_per_s": flushes, "fork_exec_ms": fork, "loadavg": load})
        );
        if load.is_some_and(|load| load > 0.5) {
            eprintln!("the machine does other work too (load {}): read the ratios only", load.unwrap_or(0.0));
        }
        floor
    }

    pub fn print(&self) {
        let Self { flushes, fork_ms } = self;
        println!(
            "\nB0: {flushes:.0} appends of {BYTES} bytes + fdatasync per second, one by one; \
             fork + exec of `true` {fork_ms:.2} ms"
        );
    }
}

fn flushes() -> f64 {
    let folder = folder();
    let mut file = File::create(folder.path().join("floor")).unwrap();
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0xa5; BYTES]).unwrap();
        file.sync_data().unwrap();
        done += 1;
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}

fn fork_ms() -> f64 {
    let program = [PathBuf::from("/bin/true"), PathBuf::from("/usr/bin/true")];
    let program = program.iter().find(|p| p.is_file()).unwrap();
    let once = || {
        let start = Instant::now();
        assert!(Command::new(program).status().unwrap().success());
        start.elapsed().as_secs_f64() * 1e3
    };
    median((0..50).map(|_| once()).collect())
}
