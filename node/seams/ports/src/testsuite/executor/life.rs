//! Launching, finding again, pausing, stopping, removing.

use super::{Bench, appears, is_not_found, lines};
use crate::executor::{Phase, Role};
use futures::StreamExt;
use ikigai_types::Epoch;
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) async fn launching_twice_runs_once(bench: &Bench) {
    let (spec, folder) = bench.with_folder("twice", "echo ran >> /work/runs; exit 4");
    let (a, b) = tokio::join!(bench.first.launch(&spec), bench.first.launch(&spec));
    let id = a.unwrap();
    assert_eq!(id, b.unwrap(), "two at once are one");
    assert_eq!(bench.first.wait(&id).await.unwrap().code, 4);
    assert_eq!(bench.first.launch(&spec).await.unwrap(), id, "one that ended is not run again");
    assert_eq!(bench.second.launch(&spec).await.unwrap(), id, "nor after a restart");
    assert_eq!(bench.second.wait(&id).await.unwrap().code, 4);
    assert_eq!(std::fs::read_to_string(folder.join("runs")).unwrap(), "ran\n");
}

pub(super) async fn each_fence_and_role_is_its_own(bench: &Bench) {
    let agent = bench.spec("own", "echo agent");
    let mut check = bench.spec("own", "echo check");
    check.role = Role::Check;
    let mut later = bench.spec("own", "echo later");
    later.fence.epoch = Epoch(2);
    let mut retry = bench.spec("own", "echo retry");
    retry.fence.attempt.number = 2;
    for (spec, says) in [(agent, "agent"), (check, "check"), (later, "later"), (retry, "retry")] {
        assert_eq!(bench.run(&spec).await.0, [says]);
    }
}

pub(super) async fn another_executor_finds_it(bench: &Bench) {
    let script = "echo one; touch /work/up; while [ ! -e /work/go ]; do sleep 0.02; done; echo two; exit 9";
    let (spec, folder) = bench.with_folder("found", script);
    let id = bench.launch(&spec).await;
    appears(&folder.join("up")).await;
    let mut other = bench.spec("found-other", "true");
    other.node = ikigai_types::NodeId::from_bytes([0xee; 32]);
    let foreign = bench.launch(&other).await;

    let listed = bench.second.list(bench.node).await.unwrap();
    let mine = listed.iter().find(|r| r.id == id).expect("a running workload is listed");
    assert_eq!((&mine.fence, mine.role, mine.phase), (&spec.fence, spec.role, Phase::Running));
    assert!(listed.iter().all(|r| r.id != foreign), "another node's workload is not this node's");
    bench.first.remove(&foreign).await.unwrap();

    std::fs::write(folder.join("go"), "").unwrap();
    assert_eq!(lines(&*bench.second, &id).await, ["one", "two"]);
    assert_eq!(bench.second.wait(&id).await.unwrap().code, 9);
    assert_eq!(bench.listed(&id).await.unwrap().phase, Phase::Ended);
}

pub(super) async fn pause_stops_all_its_processes(bench: &Bench) {
    // The counting is done by a grandchild: pausing the first process alone would not stop it.
    let script = "(sh -c 'i=0; while :; do i=$((i+1)); echo $i > /work/n; done') & \
                  while [ ! -e /work/go ]; do sleep 0.02; done; kill $!; exit 0";
    let (spec, folder) = bench.with_folder("pause", script);
    let id = bench.launch(&spec).await;
    let count = folder.join("n");
    moves(&count).await;

    bench.first.pause(&id).await.unwrap();
    bench.second.pause(&id).await.expect("pausing twice is pausing once");
    assert_eq!(bench.listed(&id).await.unwrap().phase, Phase::Paused);
    let before = std::fs::read(&count).unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(std::fs::read(&count).unwrap(), before, "it got CPU time while paused");

    bench.second.resume(&id).await.unwrap();
    bench.first.resume(&id).await.expect("resuming twice is resuming once");
    assert_eq!(bench.listed(&id).await.unwrap().phase, Phase::Running);
    moves(&count).await;
    bench.first.stop(&id, Duration::ZERO).await.unwrap();
    bench.first.pause(&id).await.expect("what ended gets no CPU time");
    bench.first.resume(&id).await.expect("and is not paused");
}

async fn moves(count: &Path) {
    appears(count).await;
    let before = std::fs::read(count).unwrap();
    while std::fs::read(count).unwrap() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn stop_leaves_time_to_end(bench: &Bench) {
    let polite = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done";
    let id = bench.launch(&bench.spec("polite", polite)).await;
    let mut said = bench.first.logs(&id).await.unwrap();
    assert_eq!(said.next().await.unwrap().unwrap(), "up");
    bench.first.stop(&id, Duration::from_secs(30)).await.unwrap();
    let exit = bench.first.wait(&id).await.unwrap();
    assert_eq!((exit.code, exit.out_of_memory), (7, false));
    assert_eq!(said.next().await.unwrap().unwrap(), "bye");
    bench.second.stop(&id, Duration::ZERO).await.expect("stopping what ended is done already");

    let stubborn = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    let id = bench.launch(&bench.spec("stubborn", stubborn)).await;
    let mut said = bench.first.logs(&id).await.unwrap();
    assert_eq!(said.next().await.unwrap().unwrap(), "up");
    let asked = Instant::now();
    bench.first.stop(&id, Duration::from_secs(1)).await.unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(950), "killed after {:?}", asked.elapsed());
    let exit = bench.first.wait(&id).await.unwrap();
    assert_eq!((exit.code, exit.out_of_memory), (128 + 9, false));
    assert!(said.next().await.is_none(), "its output ends with it");
}

pub(super) async fn a_paused_workload_is_killed(bench: &Bench) {
    let (spec, folder) = bench.with_folder("paused", "touch /work/up; while :; do sleep 0.05; done");
    let id = bench.launch(&spec).await;
    appears(&folder.join("up")).await;
    bench.first.pause(&id).await.unwrap();
    let asked = Instant::now();
    bench.first.stop(&id, Duration::from_secs(60)).await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(20), "no grace for what cannot use it");
    let exit = bench.first.wait(&id).await.unwrap();
    assert_eq!((exit.code, exit.out_of_memory), (128 + 9, false));
}

pub(super) async fn removal_leaves_nothing(bench: &Bench) {
    let (spec, folder) =
        bench.with_folder("removed", "echo x >> /work/runs; touch /work/up; sleep 60 & wait");
    let id = bench.launch(&spec).await;
    appears(&folder.join("up")).await;
    bench.first.remove(&id).await.unwrap();
    assert_eq!(bench.listed(&id).await, None);
    assert!(is_not_found(&bench.first.wait(&id).await));
    bench.second.remove(&id).await.expect("removing twice is removing once");

    let again = bench.launch(&spec).await;
    assert_ne!(again, id, "what was removed is launched anew");
    let both = tokio::join!(bench.first.remove(&again), bench.second.remove(&again));
    assert!(both.0.is_ok() && both.1.is_ok(), "two at once: {both:?}");
    assert_eq!(bench.listed(&again).await, None);
}

pub(super) async fn what_is_unknown_is_not_found(bench: &Bench) {
    let id = "0".repeat(64).parse().unwrap();
    assert!(is_not_found(&bench.first.wait(&id).await));
    assert!(is_not_found(&bench.first.pause(&id).await));
    assert!(is_not_found(&bench.first.resume(&id).await));
    assert!(is_not_found(&bench.first.stop(&id, Duration::ZERO).await));
    match bench.first.logs(&id).await {
        Ok(mut stream) => assert!(is_not_found(&stream.next().await.expect("an answer"))),
        error => assert!(is_not_found(&error)),
    }
    bench.first.remove(&id).await.expect("removing what is not there");
}
