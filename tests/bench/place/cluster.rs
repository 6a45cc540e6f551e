//! Made-up machines and tasks: four kinds of machine, and tasks of which a third asks for tags.

use crate::chance::Chance;
use ikigai_placement::{Candidate, Request, seed};
use ikigai_types::{ClassSlots, NodeId, Resources, TaskId, WorkloadClass};

const GIB: u64 = 1 << 30;
const REGIONS: [&str; 4] = ["eu", "us", "in", "br"];

/// The share of the machines' room that all tasks together ask for.
const FILL: f64 = 0.9;

/// Mean thousandths of a core that a task of [`Mix`] asks for.
const MEAN: f64 = 1_050.0;

/// `n` machines, together just large enough that `tasks` tasks fill them to 90 %, but none smaller than its kind.
pub fn cluster(n: u32, tasks: u64) -> Vec<Candidate> {
    let mut chance = Chance(1);
    // Kinds have 8, 16, 32 and 96 cores, in the parts 4, 3, 2 and 1.
    let mean = f64::from(8 * 4 + 16 * 3 + 32 * 2 + 96) / 10.0 * 1000.0;
    let scale = (tasks as f64 * MEAN / FILL / (f64::from(n) * mean)).max(1.0);
    (0..n).map(|i| machine(&mut chance, i, scale)).collect()
}

fn machine(chance: &mut Chance, i: u32, scale: f64) -> Candidate {
    let (cores, gpus) = match chance.below(10) {
        0..4 => (8, 0),
        4..7 => (16, 0),
        7..9 => (32, if chance.below(2) == 0 { 4 } else { 0 }),
        _ => (96, 8),
    };
    let scaled = |x: u64| (x as f64 * scale) as u64;
    let all = Resources {
        cpu_millis: scaled(cores * 1000),
        memory_bytes: scaled(cores * 4 * GIB),
        disk_bytes: 1000 * GIB,
        gpus: scaled(gpus),
        slots: scaled(cores * 2),
    };
    let region = REGIONS[chance.below(4) as usize];
    let disk = if chance.below(2) == 0 { "ssd" } else { "disk" };
    let gpu = if gpus > 0 { ",gpu=true" } else { "" };
    let mut id = [0; 32];
    id.chunks_mut(8).for_each(|part| part.copy_from_slice(&chance.draw().to_be_bytes()));
    Candidate {
        allocatable: all,
        free: all,
        classes: ClassSlots::standard(all.slots),
        tags: format!("host=n{i},region={region},disk={disk}{gpu}").parse().unwrap(),
        adapters: vec!["codex".to_owned(), "claude".to_owned()],
        providers: vec!["openai".to_owned()],
        ..Candidate::new(NodeId::from_bytes(id), format!("n{i}"))
    }
}

/// Tasks one after the other.
pub struct Mix {
    chance: Chance,
    conditions: Vec<ikigai_types::Selector>,
}

impl Mix {
    pub fn new(seed: u64) -> Self {
        let texts = ["region=eu", "region in (us,br)", "disk=ssd", "region!=in,disk=ssd"];
        Self { chance: Chance(seed), conditions: texts.map(|t| t.parse().unwrap()).into() }
    }

    /// The `n`th.
    pub fn request(&mut self, n: u64) -> Request {
        let c = &mut self.chance;
        let cpu_millis = [250, 250, 500, 500, 500, 1000, 1000, 1000, 2000, 4000][c.below(10) as usize];
        let memory_bytes = [GIB / 2, GIB, 2 * GIB, 4 * GIB, 8 * GIB][c.below(5) as usize];
        let gpus = u64::from(c.below(20) == 0);
        let class = if c.below(4) == 0 { WorkloadClass::Ci } else { WorkloadClass::Agent };
        let task = TaskId::new(format!("1f0c.001-shop.T{n}")).unwrap();
        let requires = match c.below(3) {
            0 => self.conditions[c.below(4) as usize].clone(),
            _ => ikigai_types::Selector::default(),
        };
        Request {
            resources: Resources { cpu_millis, memory_bytes, gpus, slots: 1, disk_bytes: 0 },
            class,
            requires,
            adapter: "codex".to_owned(),
            provider: "openai".to_owned(),
            seed: seed(&task, 1, &NodeId::from_bytes([0; 32])),
            ..Request::default()
        }
    }
}
