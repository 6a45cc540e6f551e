//! A person moves a task to another node; its last owner comes back and follows.

use crate::world::{World, me};
use ikigai_task::{Command, Input, Phase, Reason, Refusal, TaskState};
use ikigai_types::{Commit, Disconnect, Epoch, NodeId};

fn cede(from: &mut World, to: &World) {
    let (id, epoch) = (to.task().spec.id.clone(), to.task().epoch);
    from.input(Input::Cede(id, epoch, to.owner.node()));
}

#[test]
fn a_new_owner_grants_above_whatever_the_old_one_may_have() {
    let mut old = World::new(Disconnect::default());
    let first = old.place(1, 500);
    old.start(&first);
    let copied = old.log.clone();
    // What comes now is not in the copy.
    old.end(&first, Some(Reason::Host));
    let unseen = old.place(2, 500);

    let mut new = World::adopter(7, &copied, Vec::new());
    assert_eq!((new.refused.clone(), new.task().spec.owner), (None, NodeId::from_bytes([7; 32])));
    assert_eq!(
        (new.task().attempts[0].phase, new.task().attempts[0].reason),
        (Phase::Ended, Some(Reason::Lost))
    );
    let second = new.place(3, 500);
    assert!(second.epoch > unseen.epoch && second.epoch == Epoch(1_000_001), "{}", second.epoch);
    new.start(&second);
    new.replays();

    cede(&mut old, &new);
    assert_eq!((old.refused.clone(), old.owner.tasks().len()), (None, 0), "the old owner follows");
    assert!(old.stopped.contains(&unseen));
    let again = crate::world::spec(Disconnect::default());
    old.input(Input::Submit(vec![again.clone()], None));
    let owner = new.owner.node();
    assert_eq!(old.refused, Some(Refusal::Ceded { task: again.id, owner }));
    old.end(&unseen, None);
    assert!(matches!(old.refused, Some(Refusal::Unknown(_))), "its holder is refused");
    new.end(&second, None);
    new.accept();
}

#[test]
fn a_result_that_is_here_is_gone_on_with() {
    let mut old = World::new(Disconnect::default());
    let first = old.place(1, 500);
    old.start(&first);
    old.end(&first, None);
    for (here, wanted) in [(vec![Commit("h1".to_owned())], Some("h1")), (Vec::new(), None)] {
        let mut new = World::adopter(7, &old.log, here);
        new.place(3, 500);
        let from = new.task().active().unwrap().continues.as_ref().map(|c| c.commit.0.clone());
        assert_eq!(from.as_deref(), wanted);
    }
}

#[test]
fn what_is_accepted_or_being_merged_stays_where_it_is() {
    let mut old = World::new(Disconnect::default());
    let first = old.place(1, 500);
    old.start(&first);
    old.end(&first, None);
    let copied = old.log.clone();
    let mut new = World::adopter(7, &copied, Vec::new());
    old.accept();
    let accepted = World::adopter(8, &old.log, Vec::new());
    assert!(matches!(accepted.refused, Some(Refusal::Illegal { .. })));
    let merging = old.log.iter().position(|r| r.event.name() == "accept-decided").unwrap();
    let merging = World::adopter(8, &old.log[..=merging], Vec::new());
    assert!(merging.refused.unwrap().to_string().contains("being merged"));

    // It was accepted there after the copy was made: the new owner gives it back.
    cede(&mut old, &new);
    assert!(old.refused.is_some());
    let (id, epoch) = (new.task().spec.id.clone(), new.task().epoch.taken_over());
    new.input(Input::Cede(id, epoch, me()));
    assert!(new.owner.tasks().is_empty());
}

#[test]
fn an_owner_that_was_moved_away_from_can_take_it_back_when_the_other_is_gone() {
    let mut old = World::new(Disconnect::default());
    old.place(1, 500);
    let mut new = World::adopter(7, &old.log.clone(), Vec::new());
    cede(&mut old, &new);
    new.place(2, 500);
    let log = new.log.clone();
    old.input(Input::Adopt(ikigai_task::Adoption { records: log, here: Vec::new(), done: Vec::new() }));
    assert_eq!((old.refused.clone(), old.task().epoch), (None, Epoch(2_000_000)));
    let third = old.place(3, 500);
    assert_eq!(third.epoch, Epoch(2_000_001));
    old.replays();
    assert_ne!(old.task().state, TaskState::Cancelled);
    let id = old.task().spec.id.clone();
    old.input(Input::Command(id, Command::Stop));
}
