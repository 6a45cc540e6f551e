//! How news went: what is measured of each protocol, the same way for all.

use crate::event::{Links, Mesh, World};
use serde_json::json;

/// Who tells something, the same nodes in each round, half a second apart.
pub const SOURCES: u32 = 5;
/// How long a round lasts at least, so that what trails behind an update is counted with it.
pub const ROUND: u64 = 10_000;
/// How long an update may take.
pub const LONGEST: u64 = 60_000;

/// The `s`th who tells something, of `n` nodes.
pub fn source(s: u32, n: u32) -> u32 {
    (s * 7919 + 13) % n
}

/// A kind of links, with its name.
#[derive(Debug, Clone, Copy)]
pub struct Phase {
    pub name: &'static str,
    pub loss_percent: u64,
    pub retransmit: bool,
    pub rounds: u64,
}

/// No loss; a tenth of all datagrams lost; the same over streams, which send again.
pub const PHASES: [Phase; 3] = [
    Phase { name: "no loss", loss_percent: 0, retransmit: false, rounds: 3 },
    Phase { name: "10 % lost", loss_percent: 10, retransmit: false, rounds: 3 },
    Phase { name: "10 % late", loss_percent: 10, retransmit: true, rounds: 3 },
];

/// One round of [`SOURCES`] updates.
#[derive(Debug, Clone)]
pub struct Round {
    /// Milliseconds until 99 of 100 nodes had each update, in order; those that took too long are `u64::MAX`.
    pub t99: Vec<u64>,
    /// Until all had it.
    pub t100: Vec<u64>,
    /// The share of deliveries that happened.
    pub got: f64,
    /// Messages per node and update, without what flows in quiet.
    pub messages: f64,
    /// Bytes, likewise, with 28 for UDP and IP on each message.
    pub bytes: f64,
}

/// All of one protocol under one kind of links.
#[derive(Debug, Clone)]
pub struct Heard {
    pub protocol: &'static str,
    pub n: u32,
    pub phase: &'static str,
    /// Bytes per node and second while nobody tells anything.
    pub idle: f64,
    pub rounds: Vec<Round>,
}

impl Round {
    /// From the times at which each update arrived, and what was sent beyond what flows in quiet.
    pub fn new(n: u32, times: &[Vec<u64>], messages: f64, bytes: f64) -> Self {
        let nth = |times: &Vec<u64>, i: usize| times.get(i - 1).copied().unwrap_or(u64::MAX);
        let sorted = |i: usize| {
            let mut all: Vec<u64> = times.iter().map(|times| nth(times, i)).collect();
            all.sort_unstable();
            all
        };
        let all = f64::from(n) * times.len() as f64;
        let got = times.iter().map(Vec::len).sum::<usize>() as f64 / all;
        let (t99, t100) = (sorted((n as usize * 99).div_ceil(100)), sorted(n as usize));
        Self { t99, t100, got, messages: messages / all, bytes: bytes / all }
    }
}

impl Heard {
    fn sorted(&self, of: impl Fn(&Round) -> &Vec<u64>) -> Vec<u64> {
        let mut all: Vec<u64> = self.rounds.iter().flat_map(|round| of(round).clone()).collect();
        all.sort_unstable();
        all
    }

    /// The median of all updates, in milliseconds; without an end if half of them did not reach all.
    pub fn t100(&self) -> f64 {
        let all = self.sorted(|round| &round.t100);
        let t = all[all.len() / 2];
        if t == u64::MAX { f64::INFINITY } else { t as f64 }
    }

    /// The slowest, `None` if one did not reach all.
    pub fn slowest(&self) -> Option<u64> {
        self.sorted(|round| &round.t100).last().copied().filter(|t| *t != u64::MAX)
    }

    pub fn got(&self) -> f64 {
        self.rounds.iter().map(|round| round.got).sum::<f64>() / self.rounds.len() as f64
    }

    /// Per node and update, in the rounds after the first.
    pub fn bytes_later(&self) -> f64 {
        self.rounds[1..].iter().map(|round| round.bytes).sum::<f64>() / (self.rounds.len() - 1) as f64
    }

    /// Prints it as a record for programs and as a line for people.
    pub fn tell(&self, seconds: f64) {
        let t99 = self.sorted(|round| &round.t99);
        let t99 = t99[t99.len() / 2];
        let per_round = |of: fn(&Round) -> f64| self.rounds.iter().map(of).collect::<Vec<f64>>();
        let (messages, bytes) = (per_round(|r| r.messages), per_round(|r| r.bytes));
        let told = |t: u64| (t != u64::MAX).then_some(t);
        println!(
            "{}",
            json!({"bench": "B3", "protocol": self.protocol, "nodes": self.n, "links": self.phase,
                "t99_ms": told(t99), "t100_ms": self.t100().is_finite().then(|| self.t100()),
                "slowest_ms": self.slowest(), "delivered": self.got(), "messages_by_round": messages,
                "bytes_by_round": bytes, "idle_bytes_per_node_s": self.idle})
        );
        let text = |t: Option<u64>| t.map_or("never".to_owned(), |t| t.to_string());
        let list = |of: &[f64], digits: usize| {
            of.iter().map(|x| format!("{x:.digits$}")).collect::<Vec<_>>().join(" ")
        };
        eprintln!(
            "{:<11} {:>6} {:<9}  99 % {:>5}  all {:>5} … {:>5} ms  {:>8.4} %  messages {}  bytes {}  idle {:.0} B/s  [{seconds:.0} s]",
            self.protocol,
            self.n,
            self.phase,
            text(told(t99)),
            text(told(self.t100() as u64).filter(|_| self.t100().is_finite())),
            text(self.slowest()),
            self.got() * 100.0,
            list(&messages, 1),
            list(&bytes, 0),
            self.idle,
        );
    }
}

/// Starts the nodes, lets them settle, and measures each phase.
pub fn measure<P: Mesh>(name: &'static str, n: u32, mesh: P, settle: u64, phases: &[Phase]) -> Vec<Heard> {
    let mut world = World::new(n, mesh, Links::CALM, 7);
    world.start(settle / 2);
    world.run(settle / 2);
    let mut update = 0;
    let phase = |phase: &Phase| {
        let start = std::time::Instant::now();
        world.links = Links { loss_percent: phase.loss_percent, retransmit: phase.retransmit, ..Links::CALM };
        let before = (world.messages, world.bytes);
        world.run(ROUND);
        let idle = (world.messages - before.0, world.bytes - before.1);
        let rounds = (0..phase.rounds).map(|_| {
            update += 1;
            round(&mut world, update, idle)
        });
        let rounds = rounds.collect();
        let idle = idle.1 as f64 / f64::from(n) / (ROUND as f64 / 1_000.0);
        let heard = Heard { protocol: name, n, phase: phase.name, idle, rounds };
        heard.tell(start.elapsed().as_secs_f64());
        heard
    };
    phases.iter().map(phase).collect()
}

fn round<P: Mesh>(world: &mut World<P>, number: u64, idle: (u64, u64)) -> Round {
    let (start, before, n) = (world.now, (world.messages, world.bytes), world.nodes());
    world.watched.clear();
    for s in 0..SOURCES {
        let from = source(s, n);
        world.publish(from, u64::from(from) << 32 | number);
        world.run(500);
    }
    world.until_all(LONGEST);
    let rest = ROUND.saturating_sub(world.now - start);
    world.run(rest);
    let span = (world.now - start) as f64 / ROUND as f64;
    let more = |after: u64, before: u64, idle: u64| (after - before) as f64 - idle as f64 * span;
    let times: Vec<Vec<u64>> = world.watched.iter().map(|progress| progress.times.clone()).collect();
    let messages = more(world.messages, before.0, idle.0);
    Round::new(n, &times, messages, more(world.bytes, before.1, idle.1))
}
