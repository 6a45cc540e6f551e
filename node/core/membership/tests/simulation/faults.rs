//! Many seeds of loss, partition, crash and sleep; whatever happened, once it is over all agree.

use super::world::{CALM, Faults, World};
use ikigai_membership::{Input, Liveness};

fn seeds(few: u64) -> std::ops::Range<u64> {
    match std::env::var("IKIGAI_SEED") {
        Ok(seed) => {
            let seed = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) if std::env::var_os("IKIGAI_SOAK").is_some() => 0..few * 50,
        Err(_) => 0..few,
    }
}

/// One fault, chosen by the world's own chance.
fn trouble(world: &mut World) {
    let n = world.len();
    let (a, b) = (world.chance.below(n), world.chance.below(n));
    match world.chance.below(9) {
        0 => world.kill(a),
        1 if !world.up(a) => world.start(a),
        2 => world.pause(a),
        3 => world.resume(a),
        4 => world.cut(a, b),
        5 => {
            // Two halves.
            let half = world.chance.bits();
            for i in 0..n {
                for j in 0..n {
                    if half >> (i % 64) & 1 != half >> (j % 64) & 1 {
                        world.cut(i, j);
                    }
                }
            }
        }
        6 => world.heal(),
        7 => {
            world.faults = Faults {
                drop_percent: world.chance.millis(30),
                duplicate_percent: world.chance.millis(20),
                delay: 1 + world.chance.millis(300),
            }
        }
        _ => {
            let bytes = world.chance.bits().to_be_bytes().to_vec();
            world.input(a, Input::Advertise(bytes));
        }
    }
    let wait = world.chance.millis(3_000);
    world.run(wait);
}

#[test]
fn after_any_trouble_all_agree() {
    for seed in seeds(40) {
        let n = 3 + usize::try_from(seed % 23).unwrap();
        let mut world = World::started(n, seed, 2_000);
        (0..12).for_each(|_| trouble(&mut world));
        world.heal();
        world.faults = CALM;
        (0..n).for_each(|i| world.resume(i));
        let took = world.until(20_000, World::agreed);
        assert!(took.is_some(), "IKIGAI_SEED={seed}: {n} nodes: {:?}", world.disagreement());
    }
}

#[test]
fn halves_of_a_mesh_find_each_other() {
    let mut slowest = 0;
    for seed in seeds(20) {
        let mut world = World::started(12, seed, 3_000);
        for i in 0..6 {
            for j in 6..12 {
                world.cut(i, j);
                world.cut(j, i);
            }
        }
        world.run(60_000);
        world.heal();
        let took = world.until(30_000, World::agreed);
        assert!(took.is_some(), "IKIGAI_SEED={seed}: {:?}", world.disagreement());
        slowest = slowest.max(took.unwrap());
    }
    assert!(slowest <= 4_000, "{slowest} ms");
}

#[test]
fn under_loss_nobody_alive_is_taken_for_dead() {
    for seed in seeds(10) {
        let mut world = World::started(15, seed, 3_000);
        world.faults = Faults { drop_percent: 20, duplicate_percent: 0, delay: 50 };
        let mut dead = 0;
        for _ in 0..600 {
            world.run(100);
            for i in 0..15 {
                let believed = world.machine(i).members().filter(|m| m.liveness == Liveness::Dead);
                dead += believed.count();
            }
        }
        assert_eq!(dead, 0, "IKIGAI_SEED={seed}");
    }
}

#[test]
fn a_node_that_slept_blames_itself() {
    for seed in seeds(10) {
        let mut world = World::started(10, seed, 5_000);
        world.pause(3);
        world.run(5_000);
        world.resume(3);
        world.run(50);
        for j in (0..10).filter(|&j| j != 3) {
            assert_ne!(world.view(3, j), Liveness::Dead, "IKIGAI_SEED={seed}");
        }
        assert!(
            world.until(5_000, World::agreed).is_some(),
            "IKIGAI_SEED={seed}: {:?}",
            world.disagreement()
        );
    }
}

#[test]
fn one_that_hears_nobody_convinces_nobody() {
    for seed in seeds(10) {
        let mut world = World::started(10, seed, 5_000);
        (1..10).for_each(|i| world.cut(i, 0));
        for _ in 0..300 {
            world.run(100);
            for (i, j) in (1..10).flat_map(|i| (1..10).map(move |j| (i, j))).filter(|(i, j)| i != j) {
                assert_ne!(world.view(i, j), Liveness::Dead, "IKIGAI_SEED={seed}: {i} of {j}");
            }
        }
    }
}
