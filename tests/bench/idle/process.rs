//! What the kernel knows of a process and of those it started.

use std::fs;
use std::time::Duration;

/// Proportional memory: each page shared by n processes counts an nth.
pub fn pss_mib(id: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// CPU time it used so far, its threads together.
fn cpu(id: u32) -> Duration {
    let ticks: u64 = fields(id)[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap()
}

/// The same with every process that descends from it.
pub fn cpu_of_all(id: u32) -> Duration {
    all(id).into_iter().map(cpu).sum()
}

/// It, and every process that descends from it.
pub fn all(id: u32) -> Vec<u32> {
    let every = fs::read_dir("/proc").unwrap().flatten();
    let every: Vec<u32> = every.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let mut found = vec![id];
    let mut looked = 0;
    while let Some(&above) = found.get(looked) {
        found.extend(every.iter().filter(|id| parent(**id) == Some(above)));
        looked += 1;
    }
    found
}

fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    after_name(&stat)[1].parse().ok()
}

fn fields(id: u32) -> Vec<String> {
    after_name(&fs::read_to_string(format!("/proc/{id}/stat")).unwrap())
}

/// The fields behind the name, which may hold anything: state, parent, …
fn after_name(stat: &str) -> Vec<String> {
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().map(str::to_owned).collect()
}
