//! B9: durable commits and log lines per second, each beside what it is compared to in the same run.
//!
//! `make bench B=B9` prints one line of JSON per pair, then a table. The bars: many writers share flushes (64
//! writers ≥ 5 × one), the adapter costs little (≥ 0.9 of the same store driven raw by one batching thread),
//! log lines come near the disk (≥ 0.8 of plain append + fdatasync of the same bytes), and sled stays the
//! default only if it is at least half as fast as redb.
#![allow(clippy::unwrap_used)] // A measurement that fails is to stop.

#[path = "common/bar.rs"]
mod bar;
#[path = "common/floor.rs"]
mod floor;
#[path = "common/paired.rs"]
mod paired;
#[path = "store/sides.rs"]
mod sides;

use bar::Bar::AtLeast;
use ikigai_embedded::SegmentLogs;
use ikigai_ports::Store;
use ikigai_redb::RedbStore;
use ikigai_sled::SledStore;
use paired::{Ratio, ratio};
use sides::{Commits, Lines, Plain, RawRedb, RawSled};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Writers at once.
const MANY: usize = 64;

/// How long each side runs at a time.
const BLOCK: Duration = Duration::from_millis(300);

fn main() {
    let folder = floor::folder();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let floor = floor::Floor::measure();
    let results = measure(folder.path(), &runtime);
    paired::table("B9", "1/s", &results);
    floor.print();
}

fn measure(folder: &Path, runtime: &Runtime) -> Vec<Ratio> {
    let mut results = Vec::new();
    stores(folder, runtime, &mut results);
    let mut done = |result: Ratio| tell(&mut results, result);

    let lines =
        |name: &str, agents| Lines::new(Arc::new(SegmentLogs::open(folder.join(name)).unwrap()), agents);
    let mut plain = Plain::new(folder, MANY as u64);
    let mut pair = |what, bar, mut ours: Lines, together| {
        ours.together = together;
        done(ratio(what, bar, &mut || ours.run(runtime, BLOCK), &mut || plain.run(BLOCK)));
        ours.verify(runtime);
    };
    let what = "log lines, 64 agents, 1 each ÷ plain append";
    pair(what, Some(AtLeast(0.8)), lines("logs-64", MANY), 1);
    let what = "log lines, 1 agent, 64 at a time ÷ plain append";
    pair(what, Some(AtLeast(0.8)), lines("logs-1", 1), MANY as u64);
    results
}

fn tell(results: &mut Vec<Ratio>, result: Ratio) {
    println!("{}", result.json("B9", "1/s"));
    results.push(result);
}

fn stores(folder: &Path, runtime: &Runtime, results: &mut Vec<Ratio>) {
    let redb = |name: &str| Arc::new(RedbStore::open(folder.join(name)).unwrap()) as Arc<dyn Store>;
    let sled = |name: &str| Arc::new(SledStore::open(folder.join(name)).unwrap()) as Arc<dyn Store>;
    let many = |store| Commits::new(store, MANY);
    let one = |store| Commits::new(store, 1);
    let mut done = |result| tell(results, result);

    let commits = |what, bar: Option<f64>, mut a: Commits, mut b: Commits| {
        let bar = bar.map(AtLeast);
        let result = ratio(what, bar, &mut || a.run(runtime, BLOCK), &mut || b.run(runtime, BLOCK));
        a.verify(runtime);
        b.verify(runtime);
        result
    };
    done(commits("noise: redb, 64 writers ÷ the same", None, many(redb("a1")), many(redb("a2"))));
    done(commits("redb, 64 writers ÷ 1 writer", Some(5.0), many(redb("b1")), one(redb("b2"))));
    done(commits("sled, 64 writers ÷ 1 writer", Some(5.0), many(sled("c1")), one(sled("c2"))));
    done(commits("sled ÷ redb, 64 writers", Some(0.5), many(sled("d1")), many(redb("d2"))));
    done(commits("sled ÷ redb, 1 writer", Some(0.5), one(sled("e1")), one(redb("e2"))));

    let mut raw = |what, store, run_raw: &mut dyn FnMut() -> f64| {
        let mut ours = Commits::new(store, MANY);
        done(ratio(what, Some(AtLeast(0.9)), &mut || ours.run(runtime, BLOCK), run_raw));
        ours.verify(runtime);
    };
    let (mut raw_redb, mut raw_sled) = (RawRedb::new(folder, MANY as u64), RawSled::new(folder, MANY as u64));
    raw("redb, 64 writers ÷ raw, 64 per transaction", redb("f"), &mut || raw_redb.run(BLOCK));
    raw("sled, 64 writers ÷ raw, 64 per batch and sync", sled("g"), &mut || raw_sled.run(BLOCK));
}
