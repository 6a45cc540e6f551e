//! What this process holds and uses, as the kernel counts it.

use std::time::Duration;

/// Memory that an attack may cost, in bytes.
const MOST: u64 = 50 << 20;

/// What the process held at a moment.
pub struct Cost {
    memory: u64,
}

impl Cost {
    pub fn now() -> Self {
        Self { memory: memory() }
    }

    /// Fails when more came to it than an attack may cost.
    pub fn grown(&self, by: &str) {
        let more = memory().saturating_sub(self.memory);
        println!("{by}: {} KiB more", more >> 10);
        assert!(more <= MOST, "{by}: {} MiB more", more >> 20);
    }

    /// The share of one core that the process uses over `span`.
    pub async fn busy(span: Duration) -> f64 {
        let before = ticks();
        tokio::time::sleep(span).await;
        // The kernel counts in hundredths of a second.
        (ticks() - before) as f64 / 100.0 / span.as_secs_f64()
    }
}

fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

fn ticks() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Lets the process hold `count` files, as far as it may.
pub fn allow_files(count: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    if now.current.is_some_and(|current| current < count) {
        let current = Some(now.maximum.map_or(count, |most| most.min(count)));
        setrlimit(Resource::Nofile, Rlimit { current, ..now }).unwrap();
    }
}
