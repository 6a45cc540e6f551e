//! Who submitted a task, and what its attempts used: counted once, whatever becomes of them.

use crate::world::{World, me, spec};
use ikigai_task::{Command, Event, Input, Observation, Owner, Policy, Reason, Record, Refusal};
use ikigai_types::{Disconnect, Fence, Submitter, Timestamp, Usage};

fn usage(calls: u64) -> Usage {
    Usage { calls, input_tokens: 100 * calls, output_tokens: 10 * calls, cost: None }
}

fn use_up(world: &mut World, fence: &Fence, calls: u64) {
    world.see(Observation::Used { fence: fence.clone(), usage: usage(calls) });
}

fn calls(world: &World) -> Vec<u64> {
    world.task().attempts.iter().map(|a| a.usage.calls).collect()
}

fn written(world: &World) -> Vec<u64> {
    let used = |r: &Record| if let Event::Used { usage, .. } = r.event { Some(usage.calls) } else { None };
    world.log.iter().filter_map(used).collect()
}

#[test]
fn who_submitted_it_is_in_the_log_and_stays_when_it_is_submitted_again() {
    let by = |name| Some(Submitter::new(name, me()));
    let task = spec(Disconnect::default());
    let mut owner = Owner::new(me(), Policy::default());
    owner.handle(Input::Submit(vec![task.clone()], by("alice@laptop")), Timestamp(1));
    owner.handle(Input::Submit(vec![task.clone()], by("bob@laptop")), Timestamp(2));
    assert_eq!(owner.task(&task.id).unwrap().submitted_by, by("alice@laptop"));
}

#[test]
fn a_record_from_before_submitters_were_known_is_read() {
    let w = World::new(Disconnect::default());
    let mut old = serde_json::to_value(&w.log[0]).unwrap();
    assert!(old["event"].get("by").is_none(), "nobody known is not written");
    let read: Record = serde_json::from_value(old.clone()).unwrap();
    assert_eq!(read, w.log[0]);
    old["event"]["by"] = serde_json::json!({ "name": "alice@laptop", "node": me() });
    let read: Record = serde_json::from_value(old).unwrap();
    let again = Owner::replay(me(), Policy::default(), [read]);
    let by = again.tasks().values().next().unwrap().submitted_by.clone();
    assert_eq!(by, Some(Submitter::new("alice@laptop", me())));
}

#[test]
fn what_is_used_counts_at_once_and_is_written_down_now_and_then() {
    let mut w = World::new(Disconnect::default());
    let first = w.place(1, 500);
    w.start(&first);
    let mut last = 0;
    for second in 1..=150 {
        w.pass(1);
        w.say(&first, crate::world::Word::Heartbeat);
        use_up(&mut w, &first, second);
        last = second;
        assert_eq!(calls(&w), [second]);
    }
    assert!((1..=3).contains(&written(&w).len()), "{:?}", written(&w));
    use_up(&mut w, &first, 3);
    assert_eq!(calls(&w), [last], "an older count that comes late changes nothing");
}

#[test]
fn what_was_heard_of_one_that_is_lost_is_kept_and_what_it_tells_later_is_added() {
    let mut w = World::new(Disconnect::default());
    let first = w.place(1, 500);
    w.start(&first);
    use_up(&mut w, &first, 4);
    w.pass(32);
    assert_eq!(w.task().attempts[0].reason, Some(Reason::Lost));
    let second = w.place(2, 500);
    assert_eq!(calls(&w), [4, 0]);
    w.replays();
    // Its result is refused under an old lease; what it spent is spent.
    w.see(Observation::Ended {
        fence: first.clone(),
        exit_code: None,
        reason: Some(Reason::Lost),
        detail: String::new(),
        usage: usage(9),
        change: None,
        salvage: None,
        saved: None,
    });
    assert!(matches!(w.refused, Some(Refusal::Stale { .. })));
    assert_eq!((calls(&w), w.task().attempts[0].reason), (vec![9, 0], Some(Reason::Lost)));
    assert!(w.task().holds(&second));
    w.replays();
}

#[test]
fn one_that_a_person_ends_keeps_what_it_used() {
    let mut w = World::new(Disconnect::default());
    let first = w.place(1, 500);
    w.start(&first);
    use_up(&mut w, &first, 2);
    w.input(Input::Command(w.task().spec.id.clone(), Command::Stop));
    use_up(&mut w, &first, 3);
    assert_eq!((calls(&w), w.task().usage().calls), (vec![3], 3));
    w.replays();
}

#[test]
fn a_count_renews_no_lease_and_one_of_nobody_changes_nothing() {
    let mut w = World::new(Disconnect::default());
    let first = w.place(1, 500);
    w.start(&first);
    let expires = w.task().expires;
    w.now = w.now.after(std::time::Duration::from_secs(5));
    use_up(&mut w, &first, 1);
    assert_eq!(w.task().expires, expires);
    let before = w.task().clone();
    let epoch = first.epoch.next();
    use_up(&mut w, &Fence { epoch, ..first }, 50);
    assert_eq!(*w.task(), before);
}
