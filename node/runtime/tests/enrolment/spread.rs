//! What one node learns of who is in, all learn; and who is out stays out.

use crate::node::{Node, SOON, World};
use ikigai_ports::Enrolment as _;
use ikigai_ports::mesh::Mesh as _;
use ikigai_wire::api::Code;
use std::time::Duration;

/// Waits until `node` knows `count` members.
async fn knows(node: &Node, count: usize) {
    let seen = tokio::time::timeout(SOON, async {
        let mut allowed = node.enrolment.allowed();
        while node.names().await.len() != count {
            allowed.changed().await.unwrap();
        }
    });
    seen.await.unwrap_or_else(|_| panic!("{:?} does not come to know {count}", node.id));
}

async fn four() -> (World, Vec<Node>) {
    let world = World::new();
    let mut nodes = vec![world.machine(1).start().await];
    for seed in 2..=4 {
        let node = world.machine(seed).start().await;
        // Each is let in by the one before it.
        node.join(&nodes[usize::from(seed) - 2].invite().await).await.unwrap();
        nodes.push(node);
    }
    for node in &nodes {
        knows(node, 4).await;
    }
    (world, nodes)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_come_to_know_each_other_whoever_let_them_in() {
    let (_, nodes) = four().await;
    for a in &nodes {
        for b in nodes.iter().filter(|b| b.id != a.id) {
            a.linked(b.id, true).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_hears_of_it_and_has_no_link_left() {
    let (_, nodes) = four().await;
    let [a, b, c, d] = &nodes[..] else { panic!() };
    a.linked(d.id, true).await;
    let was = a.enrolment.remove(&d.id).await.unwrap();
    assert_eq!((was.id, was.name.as_str(), was.enrolled_by), (d.id, "node-4", c.id));
    for node in [a, b, c] {
        node.linked(d.id, false).await;
        knows(node, 3).await;
    }
    knows(d, 3).await;
    assert!(d.enrolment.mesh().await.unwrap().removed);
    assert!(!a.enrolment.mesh().await.unwrap().removed);
    // It cannot remove, and its key is not let in again.
    assert_eq!(d.enrolment.remove(&a.id).await.unwrap_err().code, Code::Denied);
    let again = d.join(&b.invite().await).await.unwrap_err();
    assert_eq!((again.code, again.message.contains("its key stays out")), (Code::Denied, true));
    assert_eq!(a.enrolment.remove(&d.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(a.enrolment.remove(&a.id).await.unwrap_err().code, Code::Usage);
    // It may have a mesh of its own.
    let old = d.enrolment.mesh_id();
    d.invite().await;
    assert_ne!(d.enrolment.mesh_id(), old);
    assert_eq!(d.names().await, ["node-4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_learns_who_is_out_and_rejoins_without_being_told_where() {
    let world = World::new();
    let machines: Vec<_> = (1..=3).map(|n| world.machine(n)).collect();
    let (a, b, c) = (machines[0].start().await, machines[1].start().await, machines[2].start().await);
    b.join(&a.invite().await).await.unwrap();
    c.join(&a.invite().await).await.unwrap();
    knows(&b, 3).await;
    c.linked(b.id, true).await;
    let (b_id, a_id) = (b.id, a.id);
    b.until_allowed(|allowed| !allowed.peers[&a_id].is_empty()).await;
    b.stop().await;
    a.enrolment.remove(&c.id).await.unwrap();
    for other in [a_id, c.id] {
        world.hub.cut(other, b_id);
    }
    let b = machines[1].start().await;
    assert_eq!(b.names().await.len(), 3, "it knows what it knew");
    assert!(!b.enrolment.allowed().borrow().peers[&a_id].is_empty(), "and where they were");
    for other in [a_id, c.id] {
        world.hub.heal(other, b_id);
    }
    knows(&b, 2).await;
    b.linked(c.id, false).await;
    a.linked(b_id, true).await;
    // And so does the one that was there when it was removed: it is not forgotten by a restart.
    a.stop().await;
    let a = machines[0].start().await;
    assert_eq!(a.names().await, b.names().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_not_sent_twice_and_time_brings_together_what_no_signal_did() {
    let (world, nodes) = four().await;
    let [a, _, _, d] = &nodes[..] else { panic!() };
    // Cut off, it misses a removal; linked again, it learns of it.
    nodes[..3].iter().for_each(|n| world.hub.cut(n.id, d.id));
    for node in &nodes[..3] {
        node.linked(d.id, false).await;
    }
    a.enrolment.remove(&nodes[1].id).await.unwrap();
    knows(&nodes[2], 3).await;
    assert_eq!(d.names().await.len(), 4);
    world.hub.heal(nodes[2].id, d.id);
    knows(d, 3).await;
    world.pass(Duration::from_secs(120));
    for node in [a, &nodes[2], d] {
        knows(node, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_roster_is_not_taken() {
    let world = World::new();
    let (a, b) = (world.machine(1).start().await, world.machine(2).start().await);
    assert!(a.enrolment.compare(b.id, Default::default()).await.is_err());
    assert!(a.mesh.links().borrow().is_empty());
}
