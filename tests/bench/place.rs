//! B1: decisions per second on one core, from ten nodes to ten thousand, while the nodes fill from empty to 90 %.
//!
//! `make bench B=B1`. Every decision is exact: of a sample the answer is compared to the scan of all nodes, and
//! at the end no node has more than it had. A decision counts with the note of what it took. A third of the tasks
//! asks for tags; a few for GPUs, on the nodes that have them.
#![allow(clippy::unwrap_used)] // A measurement that fails is to stop.

#[path = "common/bar.rs"]
mod bar;
#[path = "place/chance.rs"]
mod chance;
#[path = "place/cluster.rs"]
mod cluster;

use bar::{Bar, Figure};
use cluster::{Mix, cluster};
use ikigai_placement::{Fit, Index, Policy, decide, place_by};
use std::hint::black_box;
use std::time::Instant;

/// One decision in so many is compared to the scan.
const COMPARED: u64 = 1009;

/// Tasks whose rate is compared, at the beginning and at the end of a run.
const ENDS: usize = 10_000;

/// What one run says.
struct Run {
    rate: f64,
    p50: f64,
    p99: f64,
    linear: Option<f64>,
    refused: u64,
    filled: f64,
}

fn main() {
    let mut figures = Vec::new();
    let mut scaling = Vec::new();
    for nodes in [10, 100, 1_000, 10_000] {
        for tasks in [1, 1_000, 100_000, 1_000_000] {
            let run = run(Policy::default(), nodes, tasks);
            let name = format!("{nodes} nodes, {tasks} tasks");
            let large = (nodes, tasks) == (10_000, 1_000_000);
            let rate = large.then_some(Bar::AtLeast(50_000.0));
            let mut tell = |what: &str, value, unit, bar| {
                figures.push(Figure::new(format!("{name}: {what}"), value, unit, bar).told("B1"));
            };
            tell("decisions/s", run.rate, "1/s", rate);
            if tasks > 1 {
                tell("p50", run.p50, "µs", None);
                tell("p99", run.p99, "µs", None);
            }
            if let Some(linear) = run.linear {
                let bar = (tasks == 1_000_000).then_some(Bar::AtLeast(0.95));
                tell("rate of the last 10,000 ÷ of the first", linear, "", bar);
            }
            if tasks == 1_000_000 {
                tell("filled", run.filled * 100.0, "%", None);
                tell("no node fits", run.refused as f64 / tasks as f64 * 100.0, "%", None);
                scaling.push((f64::from(nodes).ln(), run.rate.ln()));
            }
        }
    }
    let exponent =
        Figure::new("decisions/s ~ nodes to the power of", slope(&scaling), "", Some(Bar::AtLeast(-1.0)));
    figures.push(exponent.told("B1"));
    let pack = run(Policy { fit: Fit::Pack, ..Policy::default() }, 10_000, 1_000_000);
    let figure = Figure::new("10000 nodes, 1000000 tasks, packed: decisions/s", pack.rate, "1/s", None);
    figures.push(figure.told("B1"));
    figures.extend(beside());
    bar::table("B1", &figures);
}

/// Places `tasks` one after the other, noting what each took.
fn run(policy: Policy, nodes: u32, tasks: u64) -> Run {
    let candidates = cluster(nodes, tasks);
    let mut index = Index::new(policy.clone(), candidates.clone());
    let mut mix = Mix::new(7);
    let mut nanos = Vec::with_capacity(tasks as usize);
    let mut refused = 0;
    for n in 0..tasks {
        let request = mix.request(n);
        let start = Instant::now();
        let chosen = index.decide(black_box(&request));
        if let Some(id) = chosen {
            index.take(&id, request.class, &request.resources);
        }
        nanos.push(start.elapsed().as_nanos() as u32);
        refused += u64::from(chosen.is_none());
        if n % COMPARED == 0 && nodes <= 1_000 || n % (COMPARED * 50) == 0 {
            if let Some(id) = chosen {
                index.give_back(&id, request.class, &request.resources);
            }
            assert_eq!(chosen, decide(&policy, &request, index.candidates()), "{request:?}");
            if let Some(id) = chosen {
                index.take(&id, request.class, &request.resources);
            }
        }
    }
    let (mut free, mut all) = (0, 0);
    for (now, before) in sorted(index.candidates().to_vec()).iter().zip(&sorted(candidates)) {
        let used: u64 = now.classes.used.values().sum();
        assert!(before.free.covers(&now.free) && before.free.slots - now.free.slots == used);
        free += now.free.cpu_millis;
        all += now.allocatable.cpu_millis;
    }
    let sum = |of: &[u32]| of.iter().map(|n| f64::from(*n)).sum::<f64>() / 1e9;
    let linear = (nanos.len() >= 2 * ENDS).then(|| sum(&nanos[..ENDS]) / sum(&nanos[nanos.len() - ENDS..]));
    let rate = tasks as f64 / sum(&nanos);
    nanos.sort_unstable();
    let at = |part: f64| f64::from(nanos[((nanos.len() - 1) as f64 * part) as usize]) / 1e3;
    Run { rate, p50: at(0.5), p99: at(0.99), linear, refused, filled: 1.0 - free as f64 / all as f64 }
}

fn sorted(mut candidates: Vec<ikigai_placement::Candidate>) -> Vec<ikigai_placement::Candidate> {
    candidates.sort_by_key(|c| c.id);
    candidates
}

/// What else a decision may cost at ten thousand nodes.
fn beside() -> Vec<Figure> {
    let (policy, candidates, mut mix) = (Policy::default(), cluster(10_000, 100_000), Mix::new(9));
    let requests: Vec<_> = (0..20).map(|n| mix.request(n)).collect();
    let mut index = Index::new(policy.clone(), candidates.clone());
    let per = |what: &str, once: &mut dyn FnMut(usize)| {
        let start = Instant::now();
        (0..requests.len()).for_each(&mut *once);
        let micros = start.elapsed().as_secs_f64() * 1e6 / requests.len() as f64;
        Figure::new(format!("10000 nodes: {what}"), micros, "µs", None).told("B1")
    };
    vec![
        per("a decision by scan", &mut |i| _ = black_box(decide(&policy, &requests[i], &candidates))),
        per("a decision by scan, explained", &mut |i| {
            _ = black_box(place_by(&policy, &requests[i], &candidates))
        }),
        per("a decision by index, explained", &mut |i| _ = black_box(index.place(&requests[i]))),
        per("a node's new word", &mut |i| index.update(candidates[i * 37].clone())),
    ]
}

/// The slope of the line that fits best.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>()
        / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}
