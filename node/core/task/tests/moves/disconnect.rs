//! A holder goes silent and comes back, in every order that matters: who is kept is what docs/disconnect.md says,
//! and never are two accepted.

use crate::world::{Word, World};
use ikigai_task::{Command, Event, Input, Observation, Phase, Reason, Record, Refusal, TaskState};
use ikigai_types::{Disconnect, Fence, Reconcile};

/// How far the replacement is when the silent holder is heard again.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    NotPlaced,
    Preparing,
    Running,
    Failed,
    HandedIn,
    Accepted,
}

const STAGES: [Stage; 6] =
    [Stage::NotPlaced, Stage::Preparing, Stage::Running, Stage::Failed, Stage::HandedIn, Stage::Accepted];
const WORDS: [Word; 3] = [Word::Heartbeat, Word::Result, Word::Failure];

/// The table of the document: whether the first attempt is kept. `better` is whether its node's score is higher;
/// in every case it has run for longer.
fn first_is_kept(reconcile: Reconcile, better: bool, stage: Stage, word: Word) -> bool {
    match (stage, word) {
        (Stage::HandedIn | Stage::Accepted, _) => false,
        (Stage::NotPlaced | Stage::Failed, _) => true,
        (_, Word::Failure) => false,
        (Stage::Preparing | Stage::Running, _) => match reconcile {
            Reconcile::KeepOriginal | Reconcile::LongestRunning => true,
            Reconcile::KeepReplacement => false,
            Reconcile::BestScore => better,
        },
    }
}

fn kept_for(secs: u64, replace: bool, reconcile: Reconcile) -> Disconnect {
    Disconnect { lost_after_secs: secs, replace, reconcile }
}

/// The first attempt runs, its node goes silent, a replacement gets to `stage`, the first says `word`.
fn play(reconcile: Reconcile, better: bool, stage: Stage, word: Word) -> (World, Fence, Option<Fence>) {
    let mut w = World::new(kept_for(300, true, reconcile));
    let first = w.place(1, if better { 600 } else { 400 });
    w.start(&first);
    w.pass(35);
    assert_eq!(w.task().away(&first).map(|a| a.phase), Some(Phase::Away));
    let second = (stage != Stage::NotPlaced).then(|| w.place(2, 500));
    if let Some(second) = &second {
        if stage != Stage::Preparing {
            w.start(second);
        }
        match stage {
            Stage::Failed => w.end(second, Some(Reason::Agent)),
            Stage::HandedIn => w.end(second, None),
            Stage::Accepted => {
                w.end(second, None);
                w.accept();
            }
            _ => {}
        }
    }
    w.say(&first, word);
    (w, first, second)
}

#[test]
fn who_is_kept_is_what_the_table_says() {
    for reconcile in Reconcile::ALL {
        for (better, stage, word) in [true, false]
            .iter()
            .flat_map(|b| STAGES.map(|s| (*b, s)))
            .flat_map(|(b, s)| WORDS.map(|w| (b, s, w)))
        {
            let case = format!("{reconcile} better={better} {stage:?} {word:?}");
            let (mut w, first, second) = play(reconcile, better, stage, word);
            let kept = first_is_kept(reconcile, better, stage, word);
            let present = w.task().attempts.last().unwrap().fence == first;
            assert_eq!(present, kept || (second.is_none() && word == Word::Failure), "{case}");
            let aside = word == Word::Failure && matches!(stage, Stage::Preparing | Stage::Running);
            assert_eq!(w.refused.is_some(), !kept && !aside, "{case}: {:?}", w.refused);
            if let Some(second) =
                second.filter(|_| kept && matches!(stage, Stage::Preparing | Stage::Running))
            {
                assert!(w.stopped.contains(&second), "{case}: both go on");
            }
            w.replays();
            finish(&mut w, &case);
        }
    }
}

/// Both holders hand in what they have, however late; one of them is accepted, or a later attempt.
fn finish(w: &mut World, case: &str) {
    for fence in w.task().attempts.iter().map(|a| a.fence.clone()).collect::<Vec<_>>() {
        w.end(&fence, None);
    }
    if w.task().attempts.last().is_none_or(|a| a.change.is_none()) {
        let third = w.place(3, 500);
        w.start(&third);
        w.end(&third, None);
    }
    if w.task().state != TaskState::Accepted {
        w.accept();
    }
    let accepted = w.log.iter().filter(|r| r.event.name() == "accepted").count();
    let results = w.task().attempts.iter().filter(|a| a.merged.is_some()).count();
    assert_eq!((accepted, results), (1, 1), "{case}");
    assert!(w.task().attempts.iter().all(|a| a.phase == Phase::Ended), "{case}");
    w.replays();
}

#[test]
fn without_a_wait_the_lease_is_all_there_is() {
    for reconcile in Reconcile::ALL {
        let mut w = World::new(kept_for(0, true, reconcile));
        let first = w.place(1, 900);
        w.start(&first);
        w.pass(35);
        let ended = w.task().attempts[0].reason;
        assert_eq!(ended, Some(Reason::Lost));
        w.say(&first, Word::Result);
        assert!(matches!(w.refused, Some(Refusal::Stale { .. })));
    }
}

#[test]
fn a_holder_that_is_not_replaced_is_waited_for_and_lost_with_its_task() {
    for (secs, back) in [(0, false), (300, true), (300, false)] {
        let mut w = World::new(kept_for(secs, false, Reconcile::BestScore));
        let first = w.place(1, 500);
        w.start(&first);
        w.pass(60);
        let state = if secs == 0 { TaskState::Lost } else { TaskState::Running };
        assert_eq!(w.task().state, state, "nobody else is asked");
        if back {
            w.say(&first, Word::Heartbeat);
            assert_eq!((w.refused.clone(), w.task().active().unwrap().silent), (None, None));
            w.pass(20);
            w.say(&first, Word::Result);
            assert_eq!(w.task().state, TaskState::Verifying);
        } else {
            w.pass(300);
            assert_eq!(w.task().state, TaskState::Lost);
            w.say(&first, Word::Result);
            assert!(w.refused.is_some(), "it is too late");
        }
        w.replays();
    }
}

#[test]
fn who_comes_back_too_late_is_refused_and_the_replacement_goes_on() {
    let mut w = World::new(kept_for(300, true, Reconcile::KeepOriginal));
    let first = w.place(1, 500);
    w.start(&first);
    w.pass(35);
    let second = w.place(2, 500);
    w.start(&second);
    for _ in 0..30 {
        w.pass(12);
        w.say(&second, Word::Heartbeat);
    }
    assert_eq!(w.task().attempts[0].reason, Some(Reason::Lost));
    w.say(&first, Word::Heartbeat);
    assert_eq!(w.refused, Some(Refusal::Stale { fence: first, current: second.epoch }));
    assert!(w.task().holds(&second));
}

#[test]
fn a_pause_outlives_the_way_there_and_back() {
    let mut w = World::new(kept_for(300, true, Reconcile::KeepOriginal));
    let first = w.place(1, 500);
    w.start(&first);
    w.pass(35);
    let id = w.task().spec.id.clone();
    w.input(Input::Command(id.clone(), Command::Retry));
    w.input(Input::Observation(Observation::CapacityChanged));
    let second = w.place(2, 500);
    w.input(Input::Command(id.clone(), Command::Pause));
    w.say(&first, Word::Heartbeat);
    assert_eq!(w.task().state, TaskState::Paused);
    assert!(w.stopped.contains(&second));
    w.input(Input::Command(id, Command::Resume));
    assert_eq!(w.task().state, TaskState::Running);
    assert!(w.task().holds(&first));
    w.replays();
}

#[test]
fn an_attempt_goes_on_from_what_was_saved_where_that_helps() {
    for (reason, resumes) in [
        (Reason::Host, true),
        (Reason::Drained, true),
        (Reason::Evicted, true),
        (Reason::Stall, true),
        (Reason::Time, true),
        (Reason::OutOfMemory, true),
        (Reason::Agent, false),
        (Reason::Disk, false),
        (Reason::NoChange, false),
    ] {
        let mut w = World::new(Disconnect::default());
        let first = w.place(1, 500);
        w.start(&first);
        w.end(&first, Some(reason));
        w.place(2, 500);
        let from = w.task().active().unwrap().continues.clone().map(|c| (c.attempt, c.commit.0, c.base.0));
        let wanted = resumes.then(|| (1, "s1".to_owned(), "b".to_owned()));
        assert_eq!(from, wanted, "{}", reason.name());
    }
}

#[test]
fn an_attempt_that_never_began_does_not_hide_what_was_saved_before_it() {
    let mut w = World::new(Disconnect::default());
    let first = w.place(1, 500);
    w.start(&first);
    w.end(&first, Some(Reason::Drained));
    let second = w.place(2, 500);
    w.pass(35);
    assert!(!w.task().holds(&second), "its lease ran out");
    w.place(3, 500);
    assert_eq!(w.task().active().unwrap().continues.as_ref().map(|c| c.attempt), Some(1));
    let prompt = ikigai_task::prompt::prompt(w.task(), 3);
    assert!(prompt.contains("saved of attempt 1") && prompt.contains("commit s1"), "{prompt}");
}

#[test]
fn an_evicted_attempt_is_asked_again_until_it_says_what_it_saved() {
    let mut w = World::new(Disconnect::default());
    let first = w.place(1, 500);
    w.start(&first);
    w.input(Input::Command(first.attempt.task.clone(), Command::Evict { grace: 7 }));
    assert_eq!((w.stopped.len(), w.task().state), (1, TaskState::Running));
    w.say(&first, Word::Heartbeat);
    assert_eq!(w.stopped.len(), 2, "the order may not have arrived");
    w.end(&first, Some(Reason::Evicted));
    assert_eq!(w.task().faults(ikigai_task::retry::Blame::Agent), 0);
    let evicting = |r: &&Record| matches!(r.event, Event::Evicting { grace: 7, .. });
    assert_eq!(w.log.iter().filter(evicting).count(), 1);
    w.replays();
}
