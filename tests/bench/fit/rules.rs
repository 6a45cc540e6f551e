//! Plain rules with one view that is never old, to compare with.

use crate::chance::Chance;
use crate::trace::{Machine, Task};
use ikigai_types::Resources;

#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// The machine of which the least stays free.
    BestFit,
    /// Any that fits.
    Random,
    /// The machine of which the most stays free: what kube-scheduler does by default.
    LeastAllocated,
}

/// Where a rule leads.
pub struct Filled {
    pub used: usize,
    /// Percent.
    pub idle_gpus: f64,
}

/// Shares of a machine that stay free, of what it has.
fn left(all: &Resources, free: &Resources) -> f64 {
    let part = |free: u64, all: u64| if all == 0 { 0.0 } else { free as f64 / all as f64 };
    part(free.cpu_millis, all.cpu_millis)
        + part(free.memory_bytes, all.memory_bytes)
        + part(free.gpus, all.gpus)
}

pub fn place(rule: Rule, machines: &[Machine], tasks: &[Task]) -> Filled {
    let mut chance = Chance(9);
    let mut free: Vec<Resources> = machines.iter().map(|m| m.all).collect();
    for task in tasks {
        let fits = |i: &usize| free[*i].covers(&task.asks);
        let score = |i: &usize| left(&machines[*i].all, &free[*i].minus(&task.asks));
        // A machine with GPUs is the last choice of a task without: all rules are given that.
        let kept = |i: &usize| task.asks.gpus == 0 && machines[*i].all.gpus > 0;
        let fitting: Vec<usize> = (0..free.len()).filter(fits).collect();
        let open = |i: &usize| !kept(i);
        let first: Vec<usize> = fitting.iter().copied().filter(open).collect();
        let among = if first.is_empty() { fitting } else { first };
        let chosen = match rule {
            Rule::Random if among.is_empty() => None,
            Rule::Random => Some(among[chance.below(among.len() as u64) as usize]),
            Rule::BestFit => among.into_iter().min_by(|a, b| score(a).total_cmp(&score(b))),
            Rule::LeastAllocated => among.into_iter().max_by(|a, b| score(a).total_cmp(&score(b))),
        };
        if let Some(i) = chosen {
            free[i] = free[i].minus(&task.asks);
        }
    }
    filled(machines, &free)
}

pub fn filled(machines: &[Machine], free: &[Resources]) -> Filled {
    let used = machines.iter().zip(free).filter(|(m, free)| m.all != **free).count();
    let sum = |of: &mut dyn Iterator<Item = u64>| of.sum::<u64>() as f64;
    let idle = sum(&mut free.iter().map(|free| free.gpus)) / sum(&mut machines.iter().map(|m| m.all.gpus));
    Filled { used, idle_gpus: idle * 100.0 }
}
