//! Three to 25 nodes under one seed: they meet, lose and find each other, and all know the same in the end.
//!
//! `IKIGAI_SEED=n` runs one seed; `IKIGAI_SOAK=1` runs thousands.
#![allow(clippy::unwrap_used)]

mod faults;
mod world;

use ikigai_membership::{Input, Liveness};
use std::collections::BTreeMap;
use world::{World, id};

#[test]
fn nodes_meet() {
    for n in [2, 3, 5, 10, 25] {
        let mut world = World::started(n, n as u64, 0);
        let took = world.until(2_000, World::agreed);
        assert!(took.is_some(), "{n} nodes: {:?}", world.disagreement());
    }
}

#[test]
fn an_advertisement_reaches_everyone() {
    let mut world = World::started(25, 1, 5_000);
    world.input(3, Input::Advertise(b"cpu=8".to_vec()));
    let all = BTreeMap::from([(b"cpu=8".to_vec(), 24)]);
    let took = world.until(1_000, |world| world.advertisements(3) == all);
    assert!(took.is_some_and(|ms| ms <= 100), "{took:?}");
}

#[test]
fn a_crash_is_found_by_all_and_a_restart_too() {
    for seed in 0..20 {
        let mut world = World::started(10, seed, 5_000);
        world.kill(4);
        let took = world.until(10_000, World::agreed);
        assert!(took.is_some_and(|ms| ms <= 3_500), "seed {seed}: {took:?} {:?}", world.disagreement());
        world.start(4);
        let took = world.until(10_000, World::agreed);
        assert!(took.is_some_and(|ms| ms <= 1_000), "seed {seed}: {took:?} {:?}", world.disagreement());
    }
}

#[test]
fn two_nodes_lose_each_other_and_nobody_else() {
    let mut world = World::started(10, 5, 5_000);
    world.cut(1, 2);
    world.cut(2, 1);
    world.changes.clear();
    world.run(60_000);
    assert!(world.agreed(), "others vouch for both: {:?}", world.disagreement());
}

#[test]
fn who_leaves_is_dead_at_once_and_nobody_asks() {
    let mut world = World::started(8, 2, 5_000);
    world.input(0, Input::Leave);
    let gone = |world: &World| (1..8).all(|i| world.view(i, 0) == Liveness::Dead);
    assert!(world.until(200, gone).is_some());
    assert_eq!(world.machine(0).next_wake(), None);
    assert!(world.machine(1).member(&id(0)).unwrap().left);
}

#[test]
fn who_is_revoked_is_forgotten_and_not_heard() {
    let mut world = World::started(5, 3, 5_000);
    (0..4).for_each(|i| world.input(i, Input::PeerRevoked(id(4))));
    world.run(30_000);
    for i in 0..4 {
        assert_eq!(world.machine(i).member(&id(4)), None);
        assert_eq!(world.machine(i).members().count(), 3);
    }
    (0..4).for_each(|i| world.input(i, Input::PeerAllowed(id(4))));
    let took = world.until(5_000, World::agreed);
    assert!(took.is_some(), "{:?}", world.disagreement());
}

#[test]
fn an_idle_pair_sends_little_and_wakes_seldom() {
    let mut world = World::started(3, 4, 5_000);
    world.sent = (0, 0);
    world.run(60_000);
    // Three links, a question and an answer a second each, and heartbeats.
    assert!(world.sent.0 <= 3 * 2 * 60 + 60, "{:?} frames and bytes in a minute", world.sent);
}

#[test]
fn a_seed_replays() {
    let run = |seed| {
        let mut world = World::started(7, seed, 3_000);
        world.faults.drop_percent = 10;
        world.kill(1);
        world.run(10_000);
        (world.trace, world.sent, world.changes)
    };
    assert_eq!(run(9), run(9));
    assert_ne!(run(9).0, run(10).0);
}
