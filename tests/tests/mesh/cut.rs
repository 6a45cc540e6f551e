//! The network breaks in each way it can while nodes work, and heals: everything is accepted once, and all find
//! each other again.

use crate::chance::Chance;
use crate::cluster::{Cluster, Held, Shape};
use crate::person::Person;
use crate::{soak, wanted};
use ikigai_wire::api::TaskView;
use std::time::{Duration, Instant};

/// Within this after the healing, each sees all others.
const TOGETHER: Duration = Duration::from_secs(20);
/// How long work may take to begin on nodes that are about to be cut off.
const WORK: Duration = Duration::from_secs(60);
/// How long the owner may take to give up what is cut off: a lease, and what was under way.
const GIVEN_UP: Duration = Duration::from_secs(60);
/// One in so many packets is lost in bad weather.
const LOST: u32 = 10;

/// How some nodes are cut off from the others.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// Nothing passes.
    Both,
    /// Nobody hears them.
    Mute,
    /// They hear nobody.
    Deaf,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_breaks_and_heals_loses_nothing() {
    let (tasks, rounds) = if soak() { (300, 5) } else { (64, 1) };
    let shape = Shape { nodes: 5, tasks, tenths: 50, slots: 2, owner_slots: 0 };
    let test = "a_network_that_breaks_and_heals_loses_nothing";
    if !wanted(test) {
        return;
    }
    let Some(mut cluster) = Cluster::start(test, shape).await else { return };
    let began = Instant::now();
    let mut chance = Chance::seeded();
    cluster.submit().await;
    let person = Person::sit(&cluster);
    let mut lost = 0;
    for _ in 0..rounds {
        // All but the owner, in an order of chance.
        let mut others: Vec<_> = (1..shape.nodes).collect();
        (1..others.len()).for_each(|n| others.swap(n, chance.below(n + 1)));
        lost += cut(&cluster, &person, &[(Cut::Both, &others[..3])]).await;
        lost += cut(&cluster, &person, &[(Cut::Both, &others[3..])]).await;
        lost += cut(&cluster, &person, &[(Cut::Mute, &others[..1]), (Cut::Deaf, &others[1..2])]).await;
        weather(&cluster, &person).await;
    }
    println!("{lost} attempts lost their owner; {:?} so far", began.elapsed());
    assert!(lost >= 3 * rounds, "only {lost} attempts were cut off");
    person.until_all_accepted(tasks, Duration::from_secs(180)).await;
    println!("all accepted after {:?}; {} given up and tried again", began.elapsed(), person.retries());
    cluster.check_accepted_once().await;
    cluster.nothing_is_left(Duration::from_secs(60)).await;
    drop(person);
    cluster.check_disks().await;
    println!("{:?} in all", began.elapsed());
}

/// Cuts nodes off in the middle of their work until the owner has given up all of it, and heals. Answers how many
/// attempts were lost.
async fn cut(cluster: &Cluster, person: &Person, cuts: &[(Cut, &[usize])]) -> usize {
    let far: Vec<_> = cuts.iter().flat_map(|(_, far)| far.iter().copied()).collect();
    let held = |tasks: &[TaskView]| -> Vec<Held> {
        far.iter().flat_map(|at| cluster.nodes[*at].held(tasks)).collect()
    };
    let begun = person.until(WORK, |tasks| !held(tasks).is_empty()).await;
    assert!(begun, "nodes {far:?} have no work:\n{}", cluster.logs());
    for (how, far) in cuts {
        how.begin(cluster, far);
    }
    let began = Instant::now();
    // What had ended meanwhile was not cut off.
    let held = held(&person.look().await);
    let over = |tasks: &[TaskView]| held.iter().all(|one| end(one, tasks).is_some());
    assert!(person.until(GIVEN_UP, over).await, "not all given up within {GIVEN_UP:?}: {held:?}");
    let (length, missed) = (began.elapsed(), cluster.missed().await);
    cluster.net.heal();
    assert!(missed > 0, "nobody noticed that {cuts:?} were cut off");
    let together = cluster.until_all_see_each_other(TOGETHER).await;
    let tasks = person.tasks();
    let lost = held.iter().filter(|one| end(one, &tasks) == Some("lost")).count();
    println!(
        "{cuts:?} for {length:?}: {lost} of {} attempts lost, {missed} times a node missed another; \
         together {together:?} after the healing",
        held.len()
    );
    lost
}

impl Cut {
    fn begin(self, cluster: &Cluster, far: &[usize]) {
        if matches!(self, Self::Both) {
            return cluster.net.split(far);
        }
        for near in (0..cluster.nodes.len()).filter(|n| !far.contains(n)) {
            for far in far {
                let (from, to) = if matches!(self, Self::Mute) { (*far, near) } else { (near, *far) };
                cluster.net.block(from, to);
            }
        }
    }
}

/// How an attempt ended, if it did.
fn end<'a>((attempt, epoch): &Held, tasks: &'a [TaskView]) -> Option<&'a str> {
    let mut attempts = tasks.iter().flat_map(|t| &t.attempts);
    attempts.find(|a| a.id == *attempt && a.epoch == *epoch)?.outcome.as_deref()
}

/// Work goes on while packets are lost everywhere, and afterwards all are there.
async fn weather(cluster: &Cluster, person: &Person) {
    let accepted = |tasks: &[TaskView]| tasks.iter().filter(|t| t.state == "accepted").count();
    let before = accepted(&person.tasks());
    assert!(before < cluster.shape.tasks, "nothing is left to do");
    let bad = cluster.net.weather(LOST, 20);
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let wanted = cluster.shape.tasks.min(before + 4);
    let goes_on = person.until(WORK, |tasks| accepted(tasks) >= wanted).await;
    assert!(goes_on, "work stands still while {bad}:\n{}", cluster.logs());
    let (length, missed) = (began.elapsed(), cluster.missed().await);
    cluster.net.heal();
    let together = cluster.until_all_see_each_other(TOGETHER).await;
    let done = accepted(&person.tasks()) - before;
    println!(
        "{bad} for {length:?}: {done} accepted meanwhile, {missed} times a node missed another; \
         together {together:?} after the healing"
    );
}
