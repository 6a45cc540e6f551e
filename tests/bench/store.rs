//! B9: durable commits and log lines per second, each beside what it is compared to in the same run.
//!
//! `cargo bench -p ikigai-tests --bench store` prints one line of JSON per pair, then a table. The bars: many
//! writers share flushes (64 writers ≥ 5 × one), the adapter costs little (≥ 0.9 of the same store driven raw
//! by one batching thread), log lines come near the disk (≥ 0.8 of plain append + fdatasync of the same
//! bytes), and sled stays the default only if it is at least half as fast as redb. B0, the disk's own floor,
//! is measured in the same run, because disks differ 30-fold between machines and minutes.
#![allow(clippy::unwrap_used)] // A measurement that fails is to stop.

#[path = "store/paired.rs"]
mod paired;
#[path = "store/sides.rs"]
mod sides;

use ikigai_embedded::SegmentLogs;
use ikigai_ports::Store;
use ikigai_redb::RedbStore;
use ikigai_sled::SledStore;
use paired::{Ratio, ratio};
use serde_json::json;
use sides::{BYTES, Commits, Lines, Plain, RawRedb, RawSled};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Writers at once.
const MANY: usize = 64;

fn main() {
    // Where the build is, because the system's folder for such may be memory, which a sync costs nothing.
    let folder = std::env::var("IKIGAI_BENCH_FOLDER").unwrap_or_else(|_| env!("CARGO_TARGET_TMPDIR").into());
    let folder = tempfile::tempdir_in(folder).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let b0 = floor(folder.path());
    let results = measure(folder.path(), &runtime);
    println!("\n{:<52} {:>9} {:>9} {:>7} {:<13} {:<6}", "B9, A ÷ B", "A/s", "B/s", "ratio", "95 %", "bar");
    results.iter().for_each(|result| println!("{}", result.row()));
    println!("\nB0: {b0:.0} appends of {BYTES} bytes + fdatasync per second, one by one");
}

/// B0, printed as a record of its own with what else the machine does.
fn floor(folder: &Path) -> f64 {
    let b0 = Plain::new(folder, 1).run(Duration::from_secs(1));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|load| load.parse::<f64>().ok());
    println!(
        "{}",
        json!({"bench": "B0", "what": "append + fdatasync", "per_s": b0.round(), "loadavg": load})
    );
    if load.is_some_and(|load| load > 0.5) {
        eprintln!("the machine does other work too (load {}): read the ratios only", load.unwrap_or(0.0));
    }
    b0
}

fn measure(folder: &Path, runtime: &Runtime) -> Vec<Ratio> {
    let redb = |name: &str| Arc::new(RedbStore::open(folder.join(name)).unwrap()) as Arc<dyn Store>;
    let sled = |name: &str| Arc::new(SledStore::open(folder.join(name)).unwrap()) as Arc<dyn Store>;
    let many = |store| Commits::new(store, MANY);
    let one = |store| Commits::new(store, 1);
    let mut results = Vec::new();
    let mut done = |result: Ratio| {
        println!("{}", result.json());
        results.push(result);
    };

    let commits = |what, bar, mut a: Commits, mut b: Commits| {
        let result = ratio(what, bar, &mut |d| a.run(runtime, d), &mut |d| b.run(runtime, d));
        a.verify(runtime);
        b.verify(runtime);
        result
    };
    done(commits("noise: redb, 64 writers ÷ the same", None, many(redb("a1")), many(redb("a2"))));
    done(commits("redb, 64 writers ÷ 1 writer", Some(5.0), many(redb("b1")), one(redb("b2"))));
    done(commits("sled, 64 writers ÷ 1 writer", Some(5.0), many(sled("c1")), one(sled("c2"))));
    done(commits("sled ÷ redb, 64 writers", Some(0.5), many(sled("d1")), many(redb("d2"))));
    done(commits("sled ÷ redb, 1 writer", None, one(sled("e1")), one(redb("e2"))));

    let mut raw = |what, store, run_raw: &mut dyn FnMut(Duration) -> f64| {
        let mut ours = Commits::new(store, MANY);
        done(ratio(what, Some(0.9), &mut |d| ours.run(runtime, d), run_raw));
        ours.verify(runtime);
    };
    let (mut raw_redb, mut raw_sled) = (RawRedb::new(folder, MANY as u64), RawSled::new(folder, MANY as u64));
    raw("redb, 64 writers ÷ raw, 64 per transaction", redb("f"), &mut |d| raw_redb.run(d));
    raw("sled, 64 writers ÷ raw, 64 per batch and sync", sled("g"), &mut |d| raw_sled.run(d));

    let mut lines = Lines::new(Arc::new(SegmentLogs::open(folder.join("logs")).unwrap()), MANY);
    let mut plain = Plain::new(folder, MANY as u64);
    let what = "log lines, 64 agents ÷ plain append, 64 per fdatasync";
    done(ratio(what, Some(0.8), &mut |d| lines.run(runtime, d), &mut |d| plain.run(d)));
    lines.verify(runtime);
    results
}
