//! Who types in an agent's terminal, as everybody reads it in the task's log.

use crate::world::World;
use ikigai_task::{Event, Observation, Reason};
use ikigai_types::{Disconnect, Fence, NodeId, Writer};

fn who(name: &str) -> Writer {
    Writer::new(name, NodeId::from_bytes([1; 32]))
}

fn types(world: &mut World, fence: &Fence, name: Option<&str>) {
    world.see(Observation::Typing { fence: fence.clone(), writer: name.map(who) });
}

fn told(world: &World) -> Vec<String> {
    let words = world.log.iter().filter_map(|r| match &r.event {
        Event::TakenOver { writer, from, .. } => {
            let from = from.as_ref().map_or("nobody", |w| &*w.name);
            Some(format!("{} from {from}", writer.name))
        }
        Event::HandedBack { from, .. } => Some(format!("{} hands back", from.name)),
        _ => None,
    });
    words.collect()
}

#[test]
fn every_change_of_the_writer_is_told_once() {
    let mut world = World::new(Disconnect::default());
    let fence = world.place(1, 500);
    world.start(&fence);
    for name in [None, Some("alice"), Some("alice"), Some("bob"), None, None] {
        types(&mut world, &fence, name);
        assert_eq!(world.refused, None);
        assert_eq!(world.task().attempts[0].writer, name.map(who));
    }
    assert_eq!(told(&world), ["alice from nobody", "bob from alice", "bob hands back"]);
    world.replays();
}

#[test]
fn of_an_attempt_that_was_replaced_nobody_needs_to_know() {
    let mut world = World::new(Disconnect::default());
    let first = world.place(1, 500);
    world.start(&first);
    types(&mut world, &first, Some("alice"));
    world.end(&first, Some(Reason::Host));
    assert_eq!(world.task().attempts[0].writer, None);
    let second = world.place(2, 500);
    world.start(&second);
    types(&mut world, &first, None);
    types(&mut world, &first, Some("bob"));
    assert_eq!((world.refused.clone(), told(&world).len()), (None, 1));
}
