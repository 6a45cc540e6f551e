//! B12: what a node without work costs, and how fast it is there.
//!
//! `make bench B=B12`. The release build of `ikigai up`, with nothing to do: its proportional memory, its share
//! of a core over a minute, and the time from `exec` to the line that says it is ready. Radicle's own node is a
//! program of its own beside ours: with it, what it costs is added, and the bars are the same.
#![allow(clippy::unwrap_used)] // A measurement that fails is to stop.

#[path = "common/bar.rs"]
mod bar;
#[path = "common/floor.rs"]
mod floor;
#[path = "common/paired.rs"]
mod paired;
#[path = "idle/process.rs"]
mod process;
#[path = "common/up.rs"]
mod up;

use bar::{Bar::AtMost, Figure};
use paired::median;
use std::time::Duration;
use up::{Up, free_address};

/// Starts of each kind, of which the first is thrown away.
const STARTS: usize = 11;

/// How long a node is left alone before it is measured, and how long it is measured.
const SETTLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(60);

fn main() {
    let floor = floor::Floor::measure();
    let mut figures = measure("git", "backend = \"git\"");
    match std::env::var("IKIGAI_RADICLE_BIN").ok().filter(|bin| !bin.is_empty()) {
        Some(bin) => {
            let forge = format!("backend = \"radicle\"\nradicle_bin = {bin:?}\nlisten = \"127.0.0.1:0\"");
            figures.extend(measure("Radicle", &forge));
        }
        None => println!("SKIPPED B12 with Radicle: IKIGAI_RADICLE_BIN is not set (run: make setup)"),
    }
    bar::table("B12", &figures);
    floor.print();
}

/// Figures of a node with this forge.
fn measure(name: &str, forge: &str) -> Vec<Figure> {
    let figure = |what: &str, value, unit, at_most| {
        Figure::new(format!("{name}: {what}"), value, unit, Some(AtMost(at_most))).told("B12")
    };
    let config = || {
        let image = std::env::var("IKIGAI_AGENT_IMAGE").unwrap_or_default();
        let executor = format!("backend = \"docker\"\nimage = {image:?}");
        format!("[http]\nlisten = \"{}\"\n\n[executor]\n{executor}\n\n[forge]\n{forge}\n", free_address())
    };

    let fresh = |_| {
        let folder = floor::folder();
        let node = Up::start(folder.path(), &config());
        let took = node.took;
        node.stop();
        took
    };
    let folder = floor::folder();
    let again = |_| {
        let node = Up::start(folder.path(), &config());
        let took = node.took;
        node.stop();
        took
    };
    let ms =
        |starts: Vec<Duration>| median(starts[1..].iter().map(|took| took.as_secs_f64() * 1e3).collect());
    let mut figures = vec![
        figure("start to ready, folder is new", ms((0..STARTS).map(fresh).collect()), "ms", 100.0),
        figure("start to ready, folder is there", ms((0..STARTS).map(again).collect()), "ms", 100.0),
    ];

    let node = Up::start(folder.path(), &config());
    std::thread::sleep(SETTLE);
    let before = process::cpu_of_all(node.id());
    std::thread::sleep(IDLE);
    let used = process::cpu_of_all(node.id()).saturating_sub(before);
    let memory = process::all(node.id()).into_iter().map(process::pss_mib).sum();
    figures.push(figure("proportional memory", memory, "MiB", 20.0));
    let share = used.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    figures.push(figure("of a core, over a minute", share, "%", 0.2));
    node.stop();
    figures
}
