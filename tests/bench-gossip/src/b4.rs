//! B4, how soon a dead node is known to be dead, and how often a living one is said to be: ours beside foca as it
//! is and the rule of serf, in virtual time over links of 10–50 ms one way. A node dies as if its machine lost
//! power: nobody is told that a link broke.
//!
//! `b4 [sizes] [protocols]`, such as `b4 100,1000 ours,serf`; all of both without arguments.

use ikigai_bench_gossip::bar::{Bar, Figure, table};
use ikigai_bench_gossip::event::{Links, Mesh, World};
use ikigai_bench_gossip::foca_mesh::FocaMesh;
use ikigai_bench_gossip::ours::Ours;
use ikigai_bench_gossip::swim::Swim;
use ikigai_membership::Config;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How long a death may take to be known to all.
const LONGEST: u64 = 240_000;
/// How long links lose datagrams while false alarms are counted, and how long a node that is frozen sleeps.
const LOSSY: u64 = 60_000;
const NAP: u64 = 5_000;
/// Deaths of single nodes, one after the other.
const DEATHS: u32 = 5;

/// What one protocol did.
struct Run {
    protocol: &'static str,
    n: u32,
    /// Milliseconds until one knew, and until all did, of each node that died alone.
    one: Vec<u64>,
    all: Vec<Option<u64>>,
    /// What is not measured of very many nodes.
    more: Option<More>,
    idle: f64,
}

struct More {
    /// Until one knew of one, and all of all, when one in a hundred dies at once.
    many: (u64, Option<u64>),
    /// Living nodes that somebody took for dead, at 10 % and 30 % loss; and of those that slept, and of the others
    /// meanwhile.
    lost_10: usize,
    lost_30: usize,
    slept: (usize, usize),
}

/// With more nodes than this only single deaths are measured: a minute with loss takes an hour here.
const ALL_OF_IT: u32 = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let sizes = arguments.first().map_or("100,1000,10000", String::as_str);
    let sizes: Vec<u32> = sizes.split(',').filter_map(|n| n.parse().ok()).collect();
    let protocols = arguments.get(1).map_or("ours,serf,foca", String::as_str);
    let mut runs = Vec::new();
    for n in sizes {
        for protocol in protocols.split(',') {
            // A table of foca is a list that is searched from its start: ten thousand of them take too long.
            let run = match protocol {
                "ours" => measure("ours", n, Ours::new(n, 48, &config(), 5)),
                "serf" => measure("serf", n, Swim::new(n, 5)),
                "foca" if n <= 1_000 => measure("foca", n, FocaMesh::new(n, 88, &FocaMesh::lan(n), 5)),
                _ => continue,
            };
            runs.push(run);
        }
    }
    table("B4", &figures(&runs));
}

/// Ours as it comes, but for the repeated records, which are the traffic of B3.
fn config() -> Config {
    Config { heartbeat: Duration::from_secs(3_600), ..Config::default() }
}

fn measure<P: Mesh>(protocol: &'static str, n: u32, mesh: P) -> Run {
    let start = Instant::now();
    let mut world = World::new(n, mesh, Links::CALM, 7);
    world.start(5_000);
    world.run(10_000);
    let before = world.bytes;
    world.run(10_000);
    let idle = (world.bytes - before) as f64 / f64::from(n) / 10.0;

    let (mut one, mut all) = (Vec::new(), Vec::new());
    for death in 0..DEATHS {
        let (first, last) = die(&mut world, &[(death * 7_919 + 17) % n]);
        one.push(first);
        all.push(last);
    }
    one.sort_unstable();
    all.sort_unstable_by_key(|t| t.unwrap_or(u64::MAX));
    let more = (n <= ALL_OF_IT).then(|| more(&mut world));
    let run = Run { protocol, n, one, all, more, idle };
    run.tell(start.elapsed().as_secs_f64());
    run
}

fn more<P: Mesh>(world: &mut World<P>) -> More {
    let n = world.nodes();
    let victims: Vec<u32> = (0..n.div_ceil(100)).map(|i| (i * 97 + 29) % n).collect();
    let many = die(world, &victims);
    let lost_10 = false_alarms(world, 10);
    let slept = nap(world);
    More { many, lost_10, slept, lost_30: false_alarms(world, 30) }
}

/// Kills `victims`; when the first of the living took one of them for dead, and when all took all.
fn die<P: Mesh>(world: &mut World<P>, victims: &[u32]) -> (u64, Option<u64>) {
    let victims: Vec<u32> = victims.iter().copied().filter(|v| !world.down[*v as usize]).collect();
    victims.iter().for_each(|v| world.down[*v as usize] = true);
    world.deaths.clear();
    let start = world.now;
    let living = world.down.iter().filter(|down| !**down).count();
    let mut known: HashMap<u32, HashSet<u32>> = victims.iter().map(|v| (*v, HashSet::new())).collect();
    let (mut first, mut read) = (None, 0);
    while world.now - start < LONGEST {
        world.run(50);
        for (at, who, about, dead) in &world.deaths[read..] {
            let Some(by) = known.get_mut(about) else { continue };
            if *dead {
                first.get_or_insert(at - start);
                by.insert(*who);
            } else {
                by.remove(who);
            }
        }
        read = world.deaths.len();
        if known.values().all(|by| by.len() == living) {
            let last = world.deaths.iter().filter(|(_, _, about, dead)| *dead && known.contains_key(about));
            let last = last.map(|(at, ..)| at - start).max();
            world.run(20_000);
            return (first.unwrap_or(LONGEST), last);
        }
    }
    (first.unwrap_or(LONGEST), None)
}

/// How many living nodes somebody took for dead, while links lose datagrams.
fn false_alarms<P: Mesh>(world: &mut World<P>, percent: u64) -> usize {
    world.run(30_000);
    world.deaths.clear();
    world.links = Links { loss_percent: percent, ..Links::CALM };
    world.run(LOSSY);
    world.links = Links::CALM;
    accused(world).len()
}

fn accused<P: Mesh>(world: &World<P>) -> HashSet<u32> {
    let dead = world.deaths.iter().filter(|(_, _, about, dead)| *dead && !world.down[*about as usize]);
    dead.map(|(_, _, about, _)| *about).collect()
}

/// One in a hundred sleeps: how many of them, and how many others, somebody took for dead.
fn nap<P: Mesh>(world: &mut World<P>) -> (usize, usize) {
    world.run(60_000);
    world.deaths.clear();
    let n = world.nodes();
    let asleep: HashSet<u32> = (0..n.div_ceil(100)).map(|i| (i * 89 + 3) % n).collect();
    asleep.iter().for_each(|node| world.asleep[*node as usize] = world.now + NAP);
    world.run(LOSSY);
    let accused = accused(world);
    (accused.intersection(&asleep).count(), accused.difference(&asleep).count())
}

impl Run {
    fn first(&self) -> u64 {
        self.one[self.one.len() / 2]
    }

    fn last(&self) -> Option<u64> {
        self.all[self.all.len() / 2]
    }

    /// Living nodes taken for dead, per node and hour.
    fn per_hour(&self, count: usize) -> f64 {
        count as f64 / f64::from(self.n) * 3_600_000.0 / LOSSY as f64
    }

    fn tell(&self, seconds: f64) {
        let more = self.more.as_ref().map(|more| {
            json!({"one_percent_ms": [Some(more.many.0), more.many.1], "false_10_percent_lost": more.lost_10,
                "false_30_percent_lost": more.lost_30, "slept_5_s_accused": more.slept.0,
                "others_accused_meanwhile": more.slept.1})
        });
        println!(
            "{}",
            json!({"bench": "B4", "protocol": self.protocol, "nodes": self.n, "first_ms": self.one,
                "all_ms": self.all, "idle_bytes_per_node_s": self.idle, "more": more})
        );
        let text = |t: Option<u64>| t.map_or("never".to_owned(), |t| t.to_string());
        let (first, last, slowest) =
            (self.first(), text(self.last()), text(self.all.last().copied().flatten()));
        eprint!("{:<6} {:>6}  first {first:>6}  all {last:>6} … {slowest:>6} ms", self.protocol, self.n);
        if let Some(more) = &self.more {
            let (one, all, slept, naps) = (more.many.0, text(more.many.1), more.slept, self.n.div_ceil(100));
            eprint!("  1 %: {one:>6} {all:>6} ms  false {} at 10 %, {} at 30 %", more.lost_10, more.lost_30);
            eprint!("  slept {} of {naps} ({} others)", slept.0, slept.1);
        }
        eprintln!("  idle {:.0} B/s  [{seconds:.0} s]", self.idle);
    }
}

fn figures(runs: &[Run]) -> Vec<Figure> {
    let ms = |t: Option<u64>| t.map_or(f64::INFINITY, |t| t as f64);
    let mut figures = Vec::new();
    let mut add = |n: u32, what: &str, value: f64, unit, bar| {
        figures.push(Figure::new(format!("{n}: {what}"), value, unit, bar).told("B4"));
    };
    for run in runs {
        let (n, name) = (run.n, run.protocol);
        add(n, &format!("all know of a death, {name}"), ms(run.last()), "ms", None);
        if let Some(more) = &run.more {
            add(
                n,
                &format!("false alarms at 10 % loss, {name}"),
                run.per_hour(more.lost_10),
                "/node·h",
                None,
            );
            add(
                n,
                &format!("false alarms at 30 % loss, {name}"),
                run.per_hour(more.lost_30),
                "/node·h",
                None,
            );
        }
    }
    for ours in runs.iter().filter(|run| run.protocol == "ours") {
        for theirs in runs.iter().filter(|run| run.n == ours.n && run.protocol != "ours") {
            let (n, name) = (ours.n, theirs.protocol);
            let bar = (name == "serf").then_some(Bar::AtMost(0.3));
            add(n, &format!("first knows ÷ {name}"), ours.first() as f64 / theirs.first() as f64, "", bar);
            add(n, &format!("all know ÷ {name}"), ms(ours.last()) / ms(theirs.last()), "", bar);
            if let (Some(our), Some(their)) = (&ours.more, &theirs.more) {
                let ratio = ms(our.many.1) / ms(their.many.1);
                add(n, &format!("one in a hundred, all know ÷ {name}"), ratio, "", bar);
            }
        }
    }
    figures
}
