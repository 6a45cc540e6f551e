//! A crash at every write there is, of every node: the write is lost or it is kept, the process goes or the machine.

use crate::owner::Asker;
use crate::world::{Fall, World};
use ikigai_membership::chance::Chance;
use ikigai_task::{Input, TaskState};
use ikigai_types::TaskId;

fn task(n: u32) -> TaskId {
    TaskId::new(format!("p0.f.T{n:03}")).expect("an id")
}

/// Four tasks, the last of which needs the others.
fn submit(world: &mut World) {
    let before: [&[u32]; 4] = [&[], &[], &[0], &[1, 2]];
    let spec = |(n, b): (u32, &[u32])| world.spec(0, task(n), b.iter().map(|n| task(*n)).collect());
    let specs: Vec<_> = (0..).zip(before).map(spec).collect();
    let ids: Vec<_> = specs.iter().map(|s| s.id.clone()).collect();
    world.tasks = ids.iter().map(|id| (id.clone(), 0)).collect();
    world.run_times = ids.iter().map(|id| (id.clone(), 2_000)).collect();
    world.input(0, Input::Submit(specs, None), Asker::Submitter(ids));
}

/// Runs the tasks to their end on three nodes; answers how many writes that took.
fn run(fall: Option<Fall>) -> u64 {
    let mut world = World::of(&[2, 2, 2], Chance::new(7), None, false);
    world.heal();
    world.run(30_000);
    (world.writes, world.fall) = (0, fall);
    submit(&mut world);
    while fall.is_some_and(|fall| world.writes < fall.write) {
        world.run(100);
    }
    // Until it is up again.
    world.run(2_000);
    world.until_settled();
    // Nobody was told that they are there: whoever submitted them does so again.
    if world.mind.acknowledged.is_empty() {
        submit(&mut world);
        world.until_settled();
    }
    assert_eq!(world.broken, None, "{fall:?}");
    let owner = &world.nodes[0].live.as_ref().expect("it lives").driver.owner;
    let ends: Vec<_> = (0..4).map(|n| owner.task(&task(n)).map(|t| (t.state, t.ticked))).collect();
    assert_eq!(ends, [Some((TaskState::Accepted, true)); 4], "{fall:?}");
    assert_eq!((world.forge.merged.len(), world.forge.boxes.len()), (4, 4), "{fall:?}");
    world.writes
}

#[test]
fn a_crash_at_any_write_loses_nothing() {
    let writes = run(None);
    println!("{writes} writes");
    assert!(writes > 40, "{writes}");
    for write in 1..=writes {
        for (kept, machine) in [(false, false), (true, false), (false, true), (true, true)] {
            run(Some(Fall { write, kept, machine }));
        }
    }
}
