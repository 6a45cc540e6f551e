//! The mesh in memory keeps what the port promises, and cuts as it says.

use ikigai_memory::MemoryHub;
use ikigai_ports::mesh::{Lane, Mesh};
use ikigai_ports::testsuite::mesh::{ended, join, linked, mesh, stream};
use ikigai_types::NodeId;
use std::sync::Arc;
use std::time::Duration;

fn nodes(hub: &MemoryHub, count: usize) -> Vec<Arc<dyn Mesh>> {
    (1..=count).map(|i| hub.mesh(NodeId::from_bytes([i as u8; 32])) as Arc<dyn Mesh>).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    mesh(async |count| nodes(&MemoryHub::new(), count)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_breaks_and_heals() {
    let hub = MemoryHub::new();
    let all = nodes(&hub, 3);
    join(&all).await;
    let [a, b, c] = [&all[0], &all[1], &all[2]];
    let (mut near, mut far) = stream(a, b, Lane::Logs).await;
    hub.cut(b.id(), a.id());
    ended(&mut near).await;
    ended(&mut far).await;
    linked(a, b.id(), false).await;
    linked(b, a.id(), false).await;
    assert!(a.open(b.id(), Lane::Control).await.is_err());
    stream(a, c, Lane::Control).await;
    hub.heal(a.id(), b.id());
    linked(a, b.id(), true).await;
    stream(b, a, Lane::Control).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_lost_one_way() {
    let hub = MemoryHub::new();
    let all = nodes(&hub, 2);
    join(&all).await;
    let [a, b] = [&all[0], &all[1]];
    hub.lose_frames(a.id(), b.id(), true);
    a.send(b.id(), vec![1]);
    b.send(a.id(), vec![2]);
    assert_eq!(a.receive().await.unwrap(), (b.id(), vec![2]));
    hub.lose_frames(a.id(), b.id(), false);
    a.send(b.id(), vec![3]);
    assert_eq!(b.receive().await.unwrap(), (a.id(), vec![3]));
    assert!(tokio::time::timeout(Duration::from_millis(50), b.receive()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_dropped_is_gone_and_may_return() {
    let hub = MemoryHub::new();
    let mut all = nodes(&hub, 2);
    join(&all).await;
    let id = all[1].id();
    let (mut near, _far) = stream(&all[0], &all[1], Lane::Control).await;
    all.truncate(1);
    linked(&all[0], id, false).await;
    ended(&mut near).await;
    all.push(hub.mesh(id));
    join(&all).await;
    stream(&all[1], &all[0], Lane::Control).await;
}
