//! What every arbiter is held to.

use crate::arbiter::{Arbiter, Claim, Ruling, Taking};
use futures::future::join_all;
use ikigai_types::{Epoch, NodeId, TaskId};
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);

/// Two nodes' ways to one arbiter, which has never heard of the tasks and nodes used here.
pub async fn conforms(one: &Arc<dyn Arbiter>, other: &Arc<dyn Arbiter>) {
    takes_from_who_is_gone(&**one, &**other).await;
    settles_once(&**one, &**other).await;
    one_of_many_wins(one, other).await;
}

fn node(key: u8) -> NodeId {
    NodeId::from_bytes([key; 32])
}

fn taking(task: &str, from: u8, to: u8) -> Taking {
    let task = TaskId::new(task).unwrap();
    Taking { task, from: node(from), to: node(to), epoch: Epoch(u64::MAX - 1), force: false, held: false }
}

async fn takes_from_who_is_gone(one: &dyn Arbiter, other: &dyn Arbiter) {
    let asked = taking("suite.gone", 101, 102);
    assert_eq!(other.take(&asked).await.unwrap(), Ruling::Unheard(node(101)));
    one.stand(node(101), LONG).await.unwrap();
    assert_eq!(other.take(&asked).await.unwrap(), Ruling::There(node(101)));
    assert_eq!(other.claims(std::slice::from_ref(&asked.task)).await.unwrap(), [], "nothing was written");
    one.stand(node(101), Duration::ZERO).await.unwrap();
    assert_eq!(other.take(&asked).await.unwrap(), Ruling::Granted);
    one.stand(node(101), LONG).await.unwrap();
    assert_eq!(other.take(&asked).await.unwrap(), Ruling::Granted, "once granted it is granted again");
    assert_eq!(one.take(&taking("suite.gone", 101, 103)).await.unwrap(), Ruling::There(node(101)));
    let held = Taking { held: true, ..asked.clone() };
    assert_eq!(other.take(&held).await.unwrap(), Ruling::Granted);
    assert_eq!(one.take(&taking("suite.gone", 101, 103)).await.unwrap(), Ruling::Held(node(102)));
    let claim = Claim { owner: node(102), was: node(101), epoch: asked.epoch, held: true, settled: false };
    let tasks = [TaskId::new("suite.nothing").unwrap(), asked.task.clone()];
    assert_eq!(one.claims(&tasks).await.unwrap(), [(asked.task, claim)]);
    let forced = Taking { force: true, ..taking("suite.gone", 102, 101) };
    other.stand(node(102), LONG).await.unwrap();
    assert_eq!(one.take(&forced).await.unwrap(), Ruling::Granted);
}

async fn settles_once(one: &dyn Arbiter, other: &dyn Arbiter) {
    let task = TaskId::new("suite.settled").unwrap();
    assert_eq!(one.settle(&task, node(111), true).await.unwrap(), Ruling::Granted);
    assert_eq!(one.settle(&task, node(111), true).await.unwrap(), Ruling::Granted);
    assert_eq!(other.settle(&task, node(112), true).await.unwrap(), Ruling::Settled(node(111)));
    let forced = Taking { force: true, ..taking("suite.settled", 111, 112) };
    assert_eq!(other.take(&forced).await.unwrap(), Ruling::Settled(node(111)));
    assert_eq!(one.settle(&task, node(111), false).await.unwrap(), Ruling::Granted);
    assert_eq!(other.take(&forced).await.unwrap(), Ruling::Granted, "it did not merge");
    let moved = Taking { force: true, held: true, ..taking("suite.moved", 111, 112) };
    assert_eq!(other.take(&moved).await.unwrap(), Ruling::Granted);
    assert_eq!(one.settle(&moved.task, node(111), true).await.unwrap(), Ruling::Held(node(112)));
    assert_eq!(other.settle(&moved.task, node(112), true).await.unwrap(), Ruling::Granted);
}

/// Nodes that all want the same task at once, and its owner that accepts it at the same time.
async fn one_of_many_wins(one: &Arc<dyn Arbiter>, other: &Arc<dyn Arbiter>) {
    one.stand(node(120), Duration::ZERO).await.unwrap();
    let tasks: Vec<_> = (0..20).map(|n| format!("suite.race{n}")).collect();
    for task in &tasks {
        let takers = (121..127).map(|to| {
            let (way, asked) = (if to % 2 == 0 { one } else { other }.clone(), taking(task, 120, to));
            let asked = Taking { held: true, ..asked };
            tokio::spawn(async move { way.take(&asked).await.unwrap() })
        });
        let (way, id) = (one.clone(), TaskId::new(task.as_str()).unwrap());
        let settler = tokio::spawn(async move { way.settle(&id, node(120), true).await.unwrap() });
        let rulings = join_all(takers.chain([settler])).await;
        let rulings: Vec<_> = rulings.into_iter().map(Result::unwrap).collect();
        let granted = rulings.iter().filter(|r| **r == Ruling::Granted).count();
        assert_eq!(granted, 1, "{rulings:?}");
    }
}
