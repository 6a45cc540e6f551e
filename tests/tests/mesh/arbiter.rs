//! An owner goes away, and an arbiter on a real server decides who has its tasks.

use crate::cluster::{Cluster, LEASE, Shape};
use ikigai_postgres::testsuite::Server;
use ikigai_tests::parts;
use ikigai_wire::api::TaskView;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_arbiter_gives_the_task_of_a_dead_owner_to_one_node_and_the_owner_learns_of_it() {
    let test = "an_arbiter_gives_the_task_of_a_dead_owner_to_one_node_and_the_owner_learns_of_it";
    if let Some(why) = Server::missing() {
        return parts::missing(test, &why, "IKIGAI_REQUIRE_POSTGRES");
    }
    let server = Server::start();
    let shape = Shape { nodes: 3, tasks: 2, tenths: 5, slots: 2, owner_slots: 0 };
    let arbiter = |_| format!("[arbiter]\npostgres = {:?}\n", server.address());
    let Some(mut cluster) = Cluster::with(test, shape, arbiter).await else { return };
    cluster.types(0, &["task", "new", "T001", "T002"]).await;
    cluster.until(0, "T001", "review").await;
    cluster.until(0, "T002", "review").await;
    cluster.types(0, &["patch", "accept", "T002"]).await;
    // The others have copied what they need by the time they show it.
    cluster.until(1, "T002", "accepted").await;
    cluster.until(2, "T001", "review").await;

    cluster.kill(0).await;
    let refused = cluster.refused(1, &["task", "adopt", "T001"]).await;
    assert!(refused.contains("is there") || refused.contains("may still be there"), "{refused}");
    // Its word is over after two leases; then one of the two gets it, without anybody's force.
    let began = Instant::now();
    while !cluster.tries(1, &["task", "adopt", "T001"]).await.0 {
        assert!(began.elapsed() < SOON + 2 * Duration::from_secs(LEASE), "the owner is never gone");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    println!("adopted after {:?}", began.elapsed());
    for more in [&["task", "adopt", "T001"][..], &["task", "adopt", "T001", "--force"]] {
        let late = cluster.refused(2, more).await;
        assert!(late.contains("has it now") || late.contains("n1 is there"), "{late}");
    }

    // The owner is back and hears of it from the arbiter, cut off from the mesh as it is.
    cluster.net.split(&[0]);
    cluster.up(0).await;
    let moved = async |cluster: &Cluster| cluster.tries(0, &["patch", "accept", "T001"]).await;
    let (good, text) = moved(&cluster).await;
    assert!(!good, "both could accept it: {text}");
    let began = Instant::now();
    loop {
        let tasks = cluster.nodes[0].tasks().await;
        let owned: Vec<&TaskView> = tasks.iter().filter(|t| t.owner == cluster.nodes[0].id).collect();
        if matches!(owned[..], [one] if one.short == "T002") {
            break;
        }
        assert!(began.elapsed() < SOON, "it still takes itself for the owner: {owned:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.net.heal();
    cluster.until_all_see_each_other(SOON).await;
    cluster.until(1, "T001", "review").await;
    cluster.types(1, &["patch", "accept", "T001"]).await;
    cluster.until(2, "T001", "accepted").await;
    cluster.nothing_is_left(SOON).await;
}
