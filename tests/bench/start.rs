//! B6: from an attempt's lease to the first line its agent printed, through a node, beside the same container
//! through the engine's API alone.
//!
//! `make bench B=B6`. Ours begins when the node wrote down that the attempt has its lease, and ends when a
//! client that follows the log has the agent's first line: workspace, gate, container, agentd, a durable line
//! and its way to the client are all in it. Theirs is the same create request, read back from the engine, sent
//! to it again by a client that is attached before it starts. Cold: every container is new, the image is there.
#![allow(clippy::unwrap_used)] // A measurement that fails is to stop.

#[path = "common/bar.rs"]
mod bar;
#[path = "common/floor.rs"]
mod floor;
#[path = "start/ours.rs"]
mod ours;
#[path = "common/paired.rs"]
mod paired;
#[path = "start/raw.rs"]
mod raw;
#[path = "common/up.rs"]
mod up;

use bar::{Bar, Figure};
use bollard::Docker;
use paired::{Side, median, ratio};

/// What the agent prints first.
const FIRST: &str = "the first line of an agent";

fn main() {
    let floor = floor::Floor::measure();
    let image = std::env::var("IKIGAI_AGENT_IMAGE").ok().filter(|image| !image.is_empty());
    let (Some(image), Ok(engine)) = (image, Docker::connect_with_local_defaults()) else {
        println!("SKIPPED B6: it needs a Docker engine and IKIGAI_AGENT_IMAGE (run: make setup)");
        return;
    };
    let folder = floor::folder();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let node = ours::Node::start(folder.path(), &image, engine.clone());
    let raw = runtime.block_on(async {
        let (model, copied) = node.once_and_copy(folder.path()).await;
        raw::Raw::new(engine, model, &copied)
    });
    let mut parts = Vec::new();
    let mut through_us = || {
        let took = runtime.block_on(node.once());
        parts.push(took);
        took.all()
    };
    let mut raw_api = || runtime.block_on(raw.once());
    let what = "placed → first output, cold ÷ raw Docker API";
    let pair = ratio(what, Some(Bar::AtMost(1.15)), &mut through_us as &mut Side<'_>, &mut raw_api);
    println!("{}", pair.json("B6", "ms"));
    paired::table("B6", "ms", &[pair]);
    let part = |what: &str, of: fn(&ours::Took) -> f64| {
        Figure::new(what, median(parts.iter().map(of).collect()), "ms", None).told("B6")
    };
    bar::table(
        "B6, ours in parts",
        &[
            part("lease → container started, as the owner has it", |took| took.started),
            part("container started → first line at the client", |took| took.first_line),
        ],
    );
    floor.print();
}
