//! One owner, a simulated world and one seed: late, doubled and lost answers, silent nodes, crashes at any
//! point between two writes. Safety is checked after every step; liveness after the faults have stopped.
//!
//! `SEED=17 cargo test -p ikigai-task --test simulation one_seed -- --nocapture` replays one run; `SEEDS=20000`
//! runs more of them.

mod world;

use world::{Trace, World};

fn seeds() -> u64 {
    std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(500)
}

fn run(seed: u64) -> Trace {
    let mut world = World::new(seed);
    world.with_faults(400);
    world.heal();
    world.until_settled();
    world.finish()
}

#[test]
fn no_seed_breaks_a_promise() {
    let (mut crashes, mut stale, mut accepted) = (0, 0, 0);
    for seed in 0..seeds() {
        let trace = std::panic::catch_unwind(|| run(seed)).unwrap_or_else(|_| panic!("seed {seed} fails"));
        crashes += trace.crashes;
        stale += trace.stale;
        accepted += trace.accepted;
    }
    // A simulation that never crashed or refused anything has proven nothing.
    assert!(crashes > 100 && stale > 100 && accepted > 1000, "{crashes} {stale} {accepted}");
}

#[test]
fn a_seed_replays_to_the_letter() {
    for seed in 0..20 {
        assert_eq!(run(seed).log, run(seed).log, "seed {seed}");
    }
}

#[test]
fn one_seed() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    for line in run(seed).log {
        println!("{line}");
    }
}
