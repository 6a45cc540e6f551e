//! Nodes are killed one after another while they work, the owner too: everything ends as if nothing had happened.

use crate::chance::Chance;
use crate::cluster::{Cluster, Shape};
use crate::person::Person;
use crate::{soak, wanted};
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;

/// From one kill to the next.
const EVERY: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_killed_all_the_time_lose_nothing() {
    let (tasks, length) =
        if soak() { (200, Duration::from_secs(180)) } else { (40, Duration::from_secs(24)) };
    let shape = Shape { nodes: 5, tasks, tenths: 20, slots: 2, owner_slots: 1 };
    let test = "nodes_that_are_killed_all_the_time_lose_nothing";
    if !wanted(test) {
        return;
    }
    let Some(mut cluster) = Cluster::start(test, shape).await else { return };
    let began = Instant::now();
    cluster.submit().await;
    let person = Person::sit(&cluster);
    kill_again_and_again(&mut cluster, &person, length).await;
    person.until_all_accepted(tasks, Duration::from_secs(180)).await;
    println!("all accepted after {:?}; {} given up and tried again", began.elapsed(), person.retries());
    let seen = cluster.until_all_see_each_other(Duration::from_secs(20)).await;
    println!("all see each other {seen:?} later");
    cluster.check_accepted_once().await;
    cluster.nothing_is_left(Duration::from_secs(60)).await;
    drop(person);
    cluster.check_disks().await;
    println!("{:?} in all", began.elapsed());
}

async fn kill_again_and_again(cluster: &mut Cluster, person: &Person, length: Duration) {
    let mut chance = Chance::seeded();
    let (mut kills, mut busy, mut work) = (vec![0; cluster.nodes.len()], 0, 0);
    let mut slowest = Duration::ZERO;
    let began = Instant::now();
    let mut turns = tokio::time::interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns.tick().await;
    while began.elapsed() < length {
        turns.tick().await;
        let at = chance.below(kills.len());
        let held = cluster.nodes[at].held(&person.tasks()).len();
        let killed = Instant::now();
        cluster.kill(at).await;
        cluster.up(at).await;
        slowest = slowest.max(killed.elapsed());
        kills[at] += 1;
        (busy, work) = (busy + usize::from(held > 0), work + held);
    }
    let all: usize = kills.iter().sum();
    println!(
        "{all} kills, by node {kills:?}; {busy} met a node at work, on {work} agents; back in {slowest:?}"
    );
    assert!(kills[0] > 0, "the owner was never killed");
    assert!(busy >= all / 4, "only {busy} of {all} kills met a node at work");
}
