//! Small worlds in which everything that can matter does: few values of each kind, so that they meet.

use ikigai_placement::{Candidate, Fit, Policy, Quota, Request};
use ikigai_types::{ClassShare, ClassSlots, Liveness, NodeId, ProjectId, Resources, WorkloadClass};
use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// Each of `texts` once in `n` times, parsed.
    fn some<T: FromStr<Err: Debug>>(&mut self, n: u64, texts: &[&str]) -> Vec<T> {
        let texts: Vec<_> = texts.iter().filter(|_| self.below(n) == 0).collect();
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    fn shuffled<T>(&mut self, mut of: Vec<T>) -> Vec<T> {
        for i in (1..of.len()).rev() {
            of.swap(i, self.below(i as u64 + 1) as usize);
        }
        of
    }
}

const CLASSES: [WorkloadClass; 3] = [WorkloadClass::Agent, WorkloadClass::Ci, WorkloadClass::Ml];

fn project(d: &mut Dice) -> ProjectId {
    ProjectId::new(*d.pick(&["p1", "p2"])).unwrap()
}

fn allocatable(d: &mut Dice) -> Resources {
    Resources {
        cpu_millis: *d.pick(&[0, 3000, 4000, 4000, 64_000]),
        memory_bytes: *d.pick(&[1 << 30, 8 << 30, (8 << 30) + 12_345, 256 << 30]),
        disk_bytes: *d.pick(&[0, 1 << 35]),
        gpus: d.below(3),
        slots: d.below(9),
    }
}

fn part(d: &mut Dice, of: Resources) -> Resources {
    let eighths = d.below(9);
    let mut part = |x: u64| if d.one_in(5) { x } else { x / 8 * eighths };
    Resources {
        cpu_millis: part(of.cpu_millis),
        memory_bytes: part(of.memory_bytes),
        disk_bytes: part(of.disk_bytes),
        gpus: part(of.gpus),
        slots: part(of.slots),
    }
}

fn classes(d: &mut Dice) -> ClassSlots {
    let mut slots = ClassSlots::default();
    if d.one_in(2) {
        return slots;
    }
    for class in CLASSES {
        let share = ClassShare {
            reserve: d.below(3),
            limit: d.one_in(3).then(|| d.below(4)),
            each: Resources { cpu_millis: d.below(2) * 500, ..Default::default() },
        };
        if d.one_in(2) {
            slots.shares.insert(class, share);
        }
        slots.take(class, d.below(3));
    }
    slots
}

fn quotas(d: &mut Dice) -> Vec<Quota> {
    let quota =
        |d: &mut Dice| Quota { provider: "openai".to_owned(), runs_left: d.below(2), resets_in: None };
    if d.one_in(4) { vec![quota(d)] } else { Vec::new() }
}

/// The `i`th node.
pub fn candidate(d: &mut Dice, i: usize) -> Candidate {
    let all = allocatable(d);
    let mut id = [0; 32];
    // In an order that is not that of `i`.
    id[..4].copy_from_slice(&(i as u32).wrapping_mul(2_654_435_761).to_be_bytes());
    Candidate {
        liveness: *d.pick(&[
            Liveness::Alive,
            Liveness::Alive,
            Liveness::Alive,
            Liveness::Suspect,
            Liveness::Dead,
        ]),
        age: Duration::from_secs(d.below(500)),
        cordoned: d.one_in(9),
        draining: d.one_in(9),
        allocatable: all,
        free: part(d, all),
        classes: classes(d),
        tags: d.pick(&["", "gpu=true", "zone=a", "zone=b,gpu=true", "zone=c,disk=ssd"]).parse().unwrap(),
        taints: d.some(6, &["gpu=true:no-schedule", "spot:prefer-no-schedule", "old:prefer-no-schedule"]),
        adapters: if d.one_in(9) { d.some(2, &["claude"]) } else { vec!["codex".to_owned()] },
        providers: if d.one_in(5) { Vec::new() } else { vec!["openai".to_owned()] },
        quotas: quotas(d),
        image: !d.one_in(9),
        images: d.some(2, &["img"]),
        repositories: vec![project(d)],
        ..Candidate::new(NodeId::from_bytes(id), format!("n{i}"))
    }
}

/// The `i`th node of a world in which all is well and nodes are much alike, so that their points are close.
pub fn calm(d: &mut Dice, i: usize) -> Candidate {
    let wild = candidate(d, i);
    let all = Resources { cpu_millis: 64_000, memory_bytes: 256 << 30, slots: 64, ..Default::default() };
    let all = if d.one_in(4) { Resources { cpu_millis: 48_000, ..all } } else { all };
    let share = |d: &mut Dice, x: u64| x / 100 * (50 + d.below(51));
    Candidate {
        allocatable: all,
        free: Resources {
            cpu_millis: share(d, all.cpu_millis),
            memory_bytes: share(d, all.memory_bytes),
            ..all
        },
        tags: wild.tags,
        repositories: wild.repositories,
        age: wild.age,
        adapters: vec!["codex".to_owned()],
        providers: vec!["openai".to_owned()],
        ..Candidate::new(wild.id, wild.name)
    }
}

/// `n` nodes, in some order.
pub fn nodes(d: &mut Dice, n: usize) -> Vec<Candidate> {
    let one = if d.one_in(2) { calm } else { candidate };
    let nodes = (0..n).map(|i| one(d, i)).collect();
    d.shuffled(nodes)
}

/// One of `nodes` as it describes itself later: of the same size, the rest anew.
pub fn later(d: &mut Dice, nodes: &[Candidate]) -> Option<Candidate> {
    let i = d.below(nodes.len().max(1) as u64) as usize;
    let old = nodes.get(i)?;
    let new = candidate(d, i);
    let free = part(d, old.allocatable);
    Some(Candidate { id: old.id, name: old.name.clone(), allocatable: old.allocatable, free, ..new })
}

/// The same nodes in another order.
pub fn permuted(d: &mut Dice, nodes: &[Candidate]) -> Vec<Candidate> {
    d.shuffled(nodes.to_vec())
}

fn peers(d: &mut Dice, n: usize) -> Vec<NodeId> {
    // One more than there are: a node that is not known.
    (0..d.below(4)).map(|_| d.below(n as u64 + 1) as usize).map(|i| candidate(&mut Dice(0), i).id).collect()
}

/// Something to place on one of `n` nodes.
pub fn request(d: &mut Dice, n: usize) -> Request {
    Request {
        resources: Resources {
            cpu_millis: *d.pick(&[0, 1, 500, 1000, 3000]),
            memory_bytes: *d.pick(&[0, 1, 1 << 30, (8 << 30) + 12_345]),
            disk_bytes: *d.pick(&[0, 0, 1 << 32]),
            gpus: d.below(4) / 3,
            slots: *d.pick(&[0, 1, 1, 1, 2]),
        },
        class: *d.pick(&CLASSES),
        priority: 0,
        requires: d
            .pick(&["", "", "", "gpu=true", "zone!=a", "zone in (a,b)", "disk absent"])
            .parse()
            .unwrap(),
        prefers: d.pick(&["", "zone=a@300", "gpu=true@30,disk=ssd", "zone exists@1000"]).parse().unwrap(),
        tolerations: d.some(2, &["gpu", "old"]),
        adapter: d.pick(&["codex", "codex", "codex", "claude"]).to_string(),
        provider: d.pick(&["", "openai"]).to_string(),
        image: d.pick(&["", "img"]).to_string(),
        repository: d.one_in(2).then(|| project(d)),
        spread: d.some(5, &["node", "zone", "group:node", "zone@150", "group:node@70", "group:zone@40"]),
        attempts_on: peers(d, n),
        group_on: peers(d, n),
        declined: if d.one_in(4) { peers(d, n) } else { Vec::new() },
        seed: d.draw(),
    }
}

/// Some policy.
pub fn policy(d: &mut Dice) -> Policy {
    Policy {
        fit: *d.pick(&[Fit::Spread, Fit::Pack]),
        margin: *d.pick(&[0, 10, 50, 400]),
        choices: d.below(6) as u8,
        ..Policy::default()
    }
}
