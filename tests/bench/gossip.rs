//! B3
#![allow(clippy::unwrap_used)]

#[path = "gossip/event.rs"]
mod event;
#[path = "gossip/foca.rs"]
mod foca_mesh;
#[path = "gossip/iroh.rs"]
mod iroh;
#[path = "gossip/ours.rs"]
mod ours;
#[path = "gossip/rule.rs"]
mod rule;

use event::{Links, Mesh, World};
use ikigai_membership::Config;
use std::time::{Duration, Instant};

const PAYLOAD: usize = 48;
const KEYED: usize = PAYLOAD + 40;

fn measure<P: Mesh>(name: &str, n: u32, mesh: P, links: Links, settle: u64) {
    let t = Instant::now();
    let mut world = World::new(n, mesh, Links { loss_percent: 0, ..links }, 7);
    world.start(settle / 2);
    world.run(settle / 2);
    world.links = links;
    let (m, b) = (world.messages, world.bytes);
    world.run(10_000);
    let idle = (world.messages - m, world.bytes - b);
    let mut row = String::new();
    for round in 0..3u64 {
        let (m, b) = (world.messages, world.bytes);
        let start = world.now;
        world.watched.clear();
        let sources = 5;
        for s in 0..sources {
            let from = (s * 7919 + 13) % n;
            world.publish(from, u64::from(from) << 32 | (round + 1));
            world.run(500);
        }
        world.until_all(60_000);
        if world.now - start < 10_000 {
            let w = 10_000 - (world.now - start);
            world.run(w);
        }
        let span = (world.now - start) as f64 / 10_000.0;
        let per = |x: u64, idle: u64| (x as f64 - idle as f64 * span) / f64::from(n) / f64::from(sources);
        let mut t99: Vec<u64> = world
            .watched
            .iter()
            .map(|p| p.times.get((n as usize * 99).div_ceil(100) - 1).copied().unwrap_or(u64::MAX))
            .collect();
        let mut t100: Vec<u64> = world
            .watched
            .iter()
            .map(|p| if p.times.len() == n as usize { *p.times.last().unwrap() } else { u64::MAX })
            .collect();
        t99.sort();
        t100.sort();
        let got: usize = world.watched.iter().map(|p| p.times.len()).sum();
        row += &format!(
            " | t99 {} t100 {}..{} got {:.4} msgs {:.2} bytes {:.0}",
            t99[2],
            t100[2],
            t100[4],
            got as f64 / f64::from(n * sources),
            per(world.messages - m, idle.0),
            per(world.bytes - b, idle.1)
        );
    }
    println!(
        "{name:<12} n={n:<6} loss={:<2} idle/node/s {:.1} msgs {:.0} B{row}  [{:.1}s]",
        links.loss_percent,
        idle.0 as f64 / 10.0 / f64::from(n),
        idle.1 as f64 / 10.0 / f64::from(n),
        t.elapsed().as_secs_f64()
    );
}

fn main() {
    let config = Config { heartbeat: Duration::from_secs(3600), ..Config::default() };
    let sizes: Vec<u32> = std::env::args()
        .nth(1)
        .unwrap_or("10,100,1000".into())
        .split(',')
        .map(|x| x.parse().unwrap())
        .collect();
    let which = std::env::args().nth(2).unwrap_or("ours,memberlist,gossipsub,foca,iroh".into());
    for n in sizes {
        for (loss, retransmit) in [(0, false), (10, false), (30, false), (10, true)] {
            let links = Links { loss_percent: loss, retransmit, ..Links::CALM };
            println!("-- n {n} loss {loss} retransmit {retransmit}");
            if which.contains("ours") {
                measure("ours", n, ours::Ours::new(n, PAYLOAD, &config, 5), links, 5_000);
            }
            if which.contains("memberlist") {
                measure("memberlist", n, rule::Memberlist::new(n, KEYED, 5), links, 1_000);
            }
            if which.contains("gossipsub") {
                measure("gossipsub", n, rule::Gossipsub::new(n, KEYED, 5), links, 1_000);
            }
            if which.contains("foca") && n <= 1000 {
                measure(
                    "foca",
                    n,
                    foca_mesh::FocaMesh::new(n, KEYED, &foca_mesh::FocaMesh::lan(n), 5),
                    links,
                    5_000,
                );
            }
            if which.contains("iroh") && (loss == 0 || n <= 1000) {
                measure("iroh", n, iroh::Iroh::new(n, KEYED, 5), links, 30_000);
            }
        }
    }
}
