//! Machines and tasks in the counts and shares of the openb trace (Alibaba, 2023): 1,523 machines with 6,212 GPUs,
//! 8,152 tasks. Tasks that ask for a part of a GPU there ask for one here or for none: parts are no quantity of ours.

use crate::chance::Chance;
use ikigai_types::Resources;

const GIB: u64 = 1 << 30;

#[derive(Debug, Clone)]
pub struct Machine {
    pub all: Resources,
}

#[derive(Debug, Clone)]
pub struct Task {
    pub asks: Resources,
}

/// How many of a thousand tasks ask for 0, 1, 2, 4 and 8 GPUs.
pub type Mix = [u64; 5];
pub const USUAL: Mix = [511, 480, 2, 2, 5];
const CPU: Mix = [761, 230, 2, 2, 5];
const MULTI: Mix = [450, 330, 80, 70, 70];

/// 310 machines without GPUs; of the others most have 8 small ones or 2.
pub fn machines(seed: u64) -> Vec<Machine> {
    let mut chance = Chance(seed);
    let machine = |i: u64| {
        let (cores, memory, gpus) = match i {
            0..310 => ([32, 64, 96][chance.below(3) as usize], 256, 0),
            310..800 => (96, 384, 8),
            800..1_213 => (64, 256, 4),
            1_213..1_400 => (96, 512, 2),
            _ => (128, 768, 2),
        };
        let all = Resources {
            cpu_millis: cores * 1_000,
            memory_bytes: memory * GIB,
            disk_bytes: 1_000 * GIB,
            gpus,
            slots: 64,
        };
        Machine { all }
    };
    (0..1_523).map(machine).collect()
}

/// Tasks one after the other.
pub fn tasks(seed: u64, mix: Mix, count: usize) -> Vec<Task> {
    let mut chance = Chance(seed);
    let task = |_| {
        let mut left = chance.below(1_000);
        let mut kind = 0;
        while left >= mix[kind] {
            left -= mix[kind];
            kind += 1;
        }
        let gpus = [0, 1, 2, 4, 8][kind];
        let cores = match gpus {
            0 => [1, 2, 4, 4, 8, 8, 16, 32][chance.below(8) as usize],
            1 => [2, 4, 6, 8, 8, 12][chance.below(6) as usize],
            n => n * 8,
        };
        let memory = (cores * [1, 2, 4][chance.below(3) as usize]).max(1);
        let asks = Resources {
            cpu_millis: cores * 1_000,
            memory_bytes: memory * GIB,
            disk_bytes: 0,
            gpus,
            slots: 1,
        };
        Task { asks }
    };
    (0..count).map(task).collect()
}

/// The usual mix, more tasks without GPUs, and more with several.
pub fn variants() -> Vec<(&'static str, Vec<Task>)> {
    vec![
        ("usual", tasks(2, USUAL, 8_152)),
        ("cpu", tasks(4, CPU, 8_152)),
        ("multi-gpu", tasks(5, MULTI, 4_000)),
    ]
}
