//! Who gets the room there is: classes of work, tags that are wished for, tasks that are kept apart.

use crate::cluster::{Cluster, Shape};
use crate::person::Person;
use ikigai_wire::api::TaskView;
use std::collections::BTreeSet;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

fn is(task: &TaskView, states: &[&str]) -> bool {
    states.contains(&task.state.as_str())
}

/// How many of `tasks` are at work.
fn at_work(tasks: &[TaskView]) -> usize {
    tasks.iter().filter(|t| is(t, &["preparing", "running"])).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_ci_never_takes_the_last_slot_for_agents() {
    let shape = Shape { nodes: 2, tasks: 6, tenths: 900, slots: 3, owner_slots: 0 };
    let test = "a_flood_of_ci_never_takes_the_last_slot_for_agents";
    let Some(cluster) = Cluster::start(test, shape).await else { return };
    let person = Person::sit(&cluster);
    cluster.types(0, &["task", "new", "T001", "T002", "T003", "T004", "T005", "--class", "ci"]).await;
    let flooded = |tasks: &[TaskView]| {
        at_work(tasks) == 2 && tasks.iter().filter(|t| t.why.cause == "class").count() == 3
    };
    assert!(person.until(SOON, flooded).await, "{:#?}", person.tasks());
    let waiting = person.tasks().iter().find(|t| t.why.cause == "class").unwrap().short.clone();
    let why = cluster.types(0, &["task", "why", &waiting]).await;
    assert!(why.contains("n1: class ci: asks slot 1, free 0 beside what is kept for agent"), "{why}");
    assert!(why.contains("[slots]"), "{why}");

    // There is room for an agent at once, with all of that waiting.
    cluster.types(0, &["task", "new", "T006"]).await;
    let runs = |tasks: &[TaskView]| tasks.iter().any(|t| t.short == "T006" && is(t, &["running"]));
    assert!(person.until(SOON, runs).await, "{:#?}", person.tasks());
    let shown = cluster.types(0, &["node", "show", "n1"]).await;
    assert!(shown.contains("agent 1 (1 kept), ci 2"), "{shown}");
    // And none more for another class, whoever offers it: the node itself says no.
    assert_eq!(at_work(&person.look().await), 3);
    let stops: Vec<_> = person.tasks().iter().map(|t| t.short.clone()).collect();
    let stops: Vec<_> = ["task", "stop"].into_iter().chain(stops.iter().map(String::as_str)).collect();
    cluster.types(0, &stops).await;
    cluster.nothing_is_left(SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_draws_a_task_and_a_feature_is_kept_apart() {
    let shape = Shape { nodes: 4, tasks: 5, tenths: 30, slots: 4, owner_slots: 0 };
    let test = "a_wish_draws_a_task_and_a_feature_is_kept_apart";
    let ssd = |at: usize| if at == 2 { "[node.tags]\ndisk = \"ssd\"\n".to_owned() } else { String::new() };
    let Some(cluster) = Cluster::with(test, shape, ssd).await else { return };
    let person = Person::sit(&cluster);
    let plan = cluster
        .types(0, &["task", "new", "T001", "--prefers", "disk=ssd@300", "--dry-run", "-o", "json"])
        .await;
    assert!(plan.contains("disk=ssd@300 +300") || plan.contains("disk=ssd +300"), "{plan}");
    cluster.types(0, &["task", "new", "T001", "--prefers", "disk=ssd@300"]).await;
    let done = |tasks: &[TaskView]| tasks.iter().all(|t| t.state == "accepted") && !tasks.is_empty();
    assert!(person.until(SOON, done).await, "{:#?}", person.tasks());
    let wished = cluster.types(0, &["task", "show", "T001"]).await;
    assert!(wished.contains("n2 (chosen)") && wished.contains("disk=ssd +300"), "{wished}");

    cluster.types(0, &["task", "new", "T002", "T003", "T004", "T005", "--spread", "group:node"]).await;
    let apart = |tasks: &[TaskView]| tasks.iter().any(|t| t.why.cause == "spread");
    assert!(person.until(SOON, apart).await, "the fourth waits for a node of its own: {:#?}", person.tasks());
    let tasks = person.tasks();
    let three = tasks.iter().filter(|t| is(t, &["preparing", "running"]));
    let nodes: BTreeSet<_> = three.filter_map(|t| t.attempts.last()).map(|a| a.node).collect();
    assert_eq!(nodes.len(), 3, "{tasks:#?}");
    let fourth = tasks.iter().find(|t| t.why.cause == "spread").unwrap();
    assert!(fourth.why.text.contains("runs another task of the group"), "{}", fourth.why.text);
    person.until_all_accepted(5, SOON).await;
    cluster.nothing_is_left(SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_more_important_task_gets_the_room_and_what_it_displaced_goes_on() {
    let shape = Shape { nodes: 2, tasks: 2, tenths: 80, slots: 1, owner_slots: 0 };
    let test = "a_more_important_task_gets_the_room_and_what_it_displaced_goes_on";
    let Some(cluster) = Cluster::start(test, shape).await else { return };
    let person = Person::sit(&cluster);
    cluster.types(0, &["task", "new", "T001", "--max-attempts", "1"]).await;
    let runs = |short: &'static str| {
        move |tasks: &[TaskView]| tasks.iter().any(|t| t.short == short && is(t, &["running"]))
    };
    assert!(person.until(SOON, runs("T001")).await, "{:#?}", person.tasks());
    cluster.types(0, &["task", "new", "T002", "--priority", "5"]).await;
    assert!(person.until(SOON, runs("T002")).await, "{:#?}", person.tasks());
    let displaced = cluster.types(0, &["task", "why", "T001"]).await;
    assert!(displaced.contains("made room for T002 (priority 5)"), "{displaced}");
    let events = cluster.types(0, &["task", "show", "T002"]).await;
    assert!(events.contains("priority  5"), "{events}");

    person.until_all_accepted(2, SOON).await;
    let tasks = person.tasks();
    let of = |short: &str| tasks.iter().find(|t| t.short == short).unwrap();
    let outcomes: Vec<_> = of("T001").attempts.iter().map(|a| a.outcome.as_deref().unwrap()).collect();
    assert_eq!(outcomes, ["evicted", "done"], "its one attempt was not used up");
    assert_eq!(of("T002").attempts.len(), 1);
    let ended = |short: &str| of(short).attempts.last().unwrap().ended_at;
    assert!(ended("T002") < ended("T001"), "{tasks:#?}");
    cluster.nothing_is_left(SOON).await;
}
