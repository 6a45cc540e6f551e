//! B3, how fast and at what cost news reaches everyone, in virtual time over links of 10–50 ms one way: ours beside
//! foca, chitchat and iroh-gossip as they are, and the rules of memberlist and gossipsub.
//!
//! `b3 [sizes] [protocols]`, such as `b3 100,1000 ours,foca`; all of both without arguments.

use ikigai_bench_gossip::bar::{Bar, Figure, table};
use ikigai_bench_gossip::chitchat_mesh;
use ikigai_bench_gossip::foca_mesh::FocaMesh;
use ikigai_bench_gossip::heard::{Heard, PHASES, Phase, measure};
use ikigai_bench_gossip::iroh_mesh::Iroh;
use ikigai_bench_gossip::ours::Ours;
use ikigai_bench_gossip::rule::{Gossipsub, Memberlist};
use ikigai_membership::Config;
use std::time::Duration;

/// Bytes of an update; where its sender is not part of the protocol, its id and a number come to it.
const PAYLOAD: usize = 48;
const KEYED: usize = PAYLOAD + 40;
/// Each node of chitchat sends a digest of all to three others every second: at 300, a phase takes five minutes here.
const CHITCHAT_MOST: u32 = 100;

fn run(protocol: &str, n: u32) -> Vec<Heard> {
    let config = Config { heartbeat: Duration::from_secs(3_600), ..Config::default() };
    // What takes an hour at full length has one round with loss.
    let short = [Phase { rounds: 2, ..PHASES[0] }, Phase { rounds: 2, ..PHASES[1] }];
    let phases: &[Phase] = if n > 1_000 { &short } else { &PHASES };
    match protocol {
        "ours" => measure("ours", n, Ours::new(n, PAYLOAD, &config, 5), 5_000, &PHASES),
        "memberlist" => measure("memberlist", n, Memberlist::new(n, KEYED, 5), 1_000, &PHASES[..2]),
        "gossipsub" => measure("gossipsub", n, Gossipsub::new(n, KEYED, 5), 1_000, &PHASES),
        // Its table is a list that is searched from its start for every word: ten thousand of them take hours.
        "foca" if n <= 1_000 => {
            measure("foca", n, FocaMesh::new(n, KEYED, &FocaMesh::lan(n), 5), 5_000, &phases[..2])
        }
        "iroh" => measure("iroh-gossip", n, Iroh::new(n, KEYED, 5), 30_000, phases),
        "chitchat" if n <= CHITCHAT_MOST => chitchat_mesh::measure(n, KEYED, 5_000, &short),
        _ => Vec::new(),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let sizes = arguments.first().map_or("10,100,1000,10000", String::as_str);
    let sizes: Vec<u32> = sizes.split(',').filter_map(|n| n.parse().ok()).collect();
    let protocols = arguments.get(1).map_or("ours,memberlist,gossipsub,iroh,chitchat,foca", String::as_str);
    let mut heard = Vec::new();
    for n in &sizes {
        protocols.split(',').for_each(|protocol| heard.extend(run(protocol, *n)));
    }
    let largest = sizes.iter().copied().max().unwrap_or(0);
    table(&format!("B3, {largest} nodes"), &figures(&heard, largest));
}

/// What has a bar, of the largest mesh.
fn figures(heard: &[Heard], n: u32) -> Vec<Figure> {
    let of = |protocol: &str, phase: usize| {
        heard.iter().find(|h| h.protocol == protocol && h.n == n && h.phase == PHASES[phase].name)
    };
    let mut figures = Vec::new();
    let mut add =
        |what: &str, value: f64, unit, bar| figures.push(Figure::new(what, value, unit, bar).told("B3"));
    let Some(ours) = of("ours", 0) else { return figures };
    add("all have it, no loss", ours.t100(), "ms", Some(Bar::AtMost(250.0)));
    if let Some(lossy) = of("ours", 1) {
        add("delivered, 10 % lost", lossy.got() * 100.0, "%", Some(Bar::AtLeast(99.99)));
        add("all have it, 10 % lost", lossy.t100(), "ms", None);
    }
    for other in ["memberlist", "gossipsub", "iroh-gossip", "foca", "chitchat"] {
        let Some(theirs) = of(other, 0) else { continue };
        let bar = (other == "memberlist").then_some(Bar::AtMost(0.1));
        add(&format!("time ÷ {other}, no loss"), ours.t100() / theirs.t100(), "", bar);
        add(&format!("bytes ÷ {other}, after the first"), ours.bytes_later() / theirs.bytes_later(), "", bar);
        let first = ours.rounds[0].bytes / theirs.rounds[0].bytes;
        add(&format!("bytes ÷ {other}, the first update"), first, "", bar);
        if let (Some(ours), Some(theirs)) = (of("ours", 1), of(other, 1)) {
            add(&format!("time ÷ {other}, 10 % lost"), ours.t100() / theirs.t100(), "", None);
            add(&format!("bytes ÷ {other}, 10 % lost"), ours.bytes_later() / theirs.bytes_later(), "", None);
        }
    }
    figures.extend(growth(heard).map(|fit| fit.told("B3")));
    figures
}

/// How well the time at which all have it grows as the logarithm of the number of nodes: R².
fn growth(heard: &[Heard]) -> Option<Figure> {
    let ours = heard.iter().filter(|h| h.protocol == "ours" && h.phase == PHASES[0].name);
    let points: Vec<(f64, f64)> = ours.map(|h| (f64::from(h.n).ln(), h.t100())).collect();
    let n = points.len() as f64;
    if n < 3.0 {
        return None;
    }
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |of: fn(f64, f64) -> f64| points.iter().map(|p| of(p.0 - mx, p.1 - my)).sum::<f64>();
    let (xy, xx, yy) = (sum(|x, y| x * y), sum(|x, _| x * x), sum(|_, y| y * y));
    Some(Figure::new("time as a + b · log of nodes, R²", xy * xy / (xx * yy), "", Some(Bar::AtLeast(0.98))))
}
