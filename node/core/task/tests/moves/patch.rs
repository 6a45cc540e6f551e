//! One patch for a task: what adds a revision to it, what makes it a draft again, and when it is archived.

use crate::world::{World, me};
use ikigai_task::{Command, Effect, Event, Input, Observation, Reason, TaskState, prompt};
use ikigai_types::{Commit, Disconnect, Fence, PatchId, Verdict};

/// Runs an attempt to its end and has its result made `revision` of the patch, with `verdict`.
fn revision(w: &mut World, revision: u32, verdict: Verdict) -> Fence {
    let fence = w.place(1, 1);
    w.start(&fence);
    w.end(&fence, None);
    w.acts.clear();
    let patch = PatchId::new("patch").unwrap();
    w.see(Observation::PatchOpened { fence: fence.clone(), patch, revision });
    let (checks, gaps, node) = (Vec::new(), Vec::new(), me());
    w.see(Observation::Verified { fence: fence.clone(), verdict, node, checks, gaps });
    fence
}

fn ask(w: &mut World, command: Command) {
    w.acts.clear();
    w.input(Input::Command(w.task().spec.id.clone(), command));
}

fn reject(text: &str, retry: bool, notes: &[&str]) -> Command {
    let notes = notes.iter().map(|n| (*n).to_owned()).collect();
    Command::Reject { text: text.to_owned(), retry, notes }
}

fn archives(w: &World) -> Vec<&str> {
    let archives = w.acts.iter().filter_map(|e| match e {
        Effect::Archive { text, .. } => Some(&**text),
        _ => None,
    });
    archives.collect()
}

#[test]
fn what_a_reviewer_sends_back_goes_on_from_what_they_read() {
    let mut w = World::new(Disconnect::default());
    let first = revision(&mut w, 1, Verdict::Verified);
    ask(&mut w, reject("name the encoding", true, &[]));
    let sent = Effect::SendBack { fence: first, text: "name the encoding".to_owned() };
    assert!(w.acts.contains(&sent), "{:?}", w.acts);
    assert!(archives(&w).is_empty());
    let head = w.task().attempts[0].change.clone().unwrap().head;
    w.place(1, 1);
    let from = w.task().active().unwrap().continues.clone().unwrap();
    assert_eq!((from.attempt, from.commit, from.reviewed), (1, head.clone(), true));
    let told = prompt::prompt(w.task(), 2);
    assert!(told.contains("The reviewer said: name the encoding"), "{told}");
    assert!(told.contains("from the result of attempt 1"), "{told}");

    // Checks that say NOT judge this attempt, not what the reviewer read.
    let second = w.task().active().unwrap().fence.clone();
    w.start(&second);
    w.end(&second, None);
    let patch = PatchId::new("patch").unwrap();
    w.see(Observation::PatchOpened { fence: second.clone(), patch, revision: 2 });
    let (checks, gaps, node) = (Vec::new(), Vec::new(), me());
    w.acts.clear();
    w.see(Observation::Verified { fence: second, verdict: Verdict::Not, node, checks, gaps });
    assert!(archives(&w).is_empty(), "another attempt follows: {:?}", w.acts);
    w.place(1, 1);
    assert_eq!(w.task().active().unwrap().continues.clone().unwrap().commit, head);
    let revisions: Vec<u32> = w.task().attempts.iter().map(|a| a.revision).collect();
    assert_eq!(revisions, [1, 2, 0]);
    w.replays();
}

#[test]
fn what_does_not_merge_starts_from_the_project_as_it_is_now() {
    let mut w = World::new(Disconnect::default());
    revision(&mut w, 1, Verdict::Verified);
    ask(&mut w, reject("shorter", true, &[]));
    let fence = revision(&mut w, 2, Verdict::Verified);
    ask(&mut w, Command::Accept { force: false });
    w.see(Observation::MergeConflict { fence: fence.clone(), text: "in \"a\"".to_owned() });
    assert!(w.acts.contains(&Effect::SendBack { fence, text: "in \"a\"".to_owned() }));
    w.place(1, 1);
    assert_eq!(w.task().active().unwrap().continues, None);
}

#[test]
fn a_task_that_will_not_go_on_has_its_patch_archived_until_that_is_done() {
    let mut w = World::new(Disconnect::default());
    revision(&mut w, 1, Verdict::Verified);
    ask(&mut w, Command::Stop);
    assert_eq!(archives(&w), ["the task was ended by a person"]);
    let task = w.task().spec.id.clone();
    w.see(Observation::ChoreFailed { task: task.clone(), chore: "archive the patch", text: "away".into() });
    w.acts.clear();
    w.pass(60);
    assert_eq!(archives(&w).len(), 1, "it is tried again");
    w.input(Input::Recovered);
    w.see(Observation::Archived { task: task.clone() });
    assert!(w.task().archived);
    w.acts.clear();
    w.input(Input::Recovered);
    w.pass(600);
    assert!(archives(&w).is_empty(), "{:?}", w.acts);
    ask(&mut w, Command::Retry);
    assert!(!w.task().archived);
    w.see(Observation::Archived { task });
    assert!(!w.task().archived, "an answer that comes late says nothing of a task that goes on");
    w.replays();
}

#[test]
fn a_task_that_gave_up_or_was_refused_has_its_patch_archived() {
    let mut w = World::new(Disconnect::default());
    for n in 1..=5 {
        revision(&mut w, n, Verdict::Not);
    }
    assert_eq!(w.task().state, TaskState::Failed(Reason::CheckFailed));
    assert_eq!(archives(&w).len(), 1, "{:?}", w.acts);
    let mut w = World::new(Disconnect::default());
    revision(&mut w, 1, Verdict::Verified);
    ask(&mut w, reject("breaks the API", false, &[]));
    assert_eq!(archives(&w), ["breaks the API"]);
}

#[test]
fn what_was_said_on_the_forge_is_answered_once() {
    let mut w = World::new(Disconnect::default());
    revision(&mut w, 1, Verdict::Verified);
    ask(&mut w, reject("sort by number", true, &["n1"]));
    let silent = |e: &Effect| matches!(e, Effect::SendBack { text, .. } if text.is_empty());
    assert!(w.acts.iter().any(silent), "who said it need not be told: {:?}", w.acts);
    let second = revision(&mut w, 2, Verdict::Verified);
    ask(&mut w, reject("sort by number", true, &["n1"]));
    assert_eq!((w.task().state, w.refused.clone()), (TaskState::Review, None));
    ask(&mut w, reject("sort by number, and name it", true, &["n1", "n2"]));
    assert_ne!(w.task().state, TaskState::Review);
    assert!(w.task().heard.contains("n2") && w.task().is_last(&second));
    w.replays();
}

/// The next attempt runs, and is at work on what the first one made.
fn second_runs(w: &mut World) -> (Fence, Fence) {
    let first = revision(w, 1, Verdict::Verified);
    ask(w, reject("shorter", true, &["n1"]));
    let second = w.place(2, 1);
    w.start(&second);
    w.acts.clear();
    (first, second)
}

/// What becomes of the next attempt before the merge is seen.
type Meanwhile<'a> = &'a dyn Fn(&mut World, &Fence);

#[test]
fn what_was_merged_on_the_forge_is_the_result_whatever_runs() {
    let paused = |w: &mut World, _: &Fence| ask(w, Command::Pause);
    let ended = |w: &mut World, second: &Fence| w.end(second, None);
    let silent = |w: &mut World, _: &Fence| w.pass(31);
    let rests: [Meanwhile; 4] = [&|_, _| {}, &paused, &ended, &silent];
    for (n, rest) in rests.into_iter().enumerate() {
        let mut w = World::new(Disconnect::default());
        let (first, second) = second_runs(&mut w);
        rest(&mut w, &second);
        w.acts.clear();
        w.see(Observation::Landed { fence: first.clone() });
        assert_eq!(w.task().state, TaskState::Review, "{n}");
        assert!(w.acts.contains(&Effect::Merge(first.clone())), "{n}: {:?}", w.acts);
        assert_eq!(w.stopped.contains(&second), n != 2, "{n}: what runs is stopped");
        w.replays();
        w.acts.clear();
        w.see(Observation::Landed { fence: first.clone() });
        assert!(w.acts.is_empty(), "{n}: told again it is the same: {:?}", w.acts);
        let commit = Commit("m".to_owned());
        w.see(Observation::Merged { fence: first.clone(), commit: commit.clone() });
        assert_eq!(w.task().state, TaskState::Accepted, "{n}");
        let last = w.task().attempts.last().unwrap();
        assert_eq!((&last.fence, &last.merged, last.reason), (&first, &Some(commit), None));
        w.end(&second, None);
        assert!(matches!(w.refused, Some(ikigai_task::Refusal::Stale { .. })), "{n}: {:?}", w.refused);
        w.replays();
    }
}

#[test]
fn a_merge_on_the_forge_changes_nothing_that_is_decided() {
    let mut w = World::new(Disconnect::default());
    let first = revision(&mut w, 1, Verdict::Verified);
    let no_such = Fence { epoch: ikigai_types::Epoch(77), ..first.clone() };
    w.see(Observation::Landed { fence: no_such });
    assert_eq!(w.task().accepted, None);
    ask(&mut w, Command::Stop);
    w.see(Observation::Landed { fence: first });
    assert_eq!((w.task().state, &w.task().accepted), (TaskState::Cancelled, &None));
}

#[test]
fn an_agent_that_changes_nothing_makes_no_revision_and_burns_nothing() {
    let mut w = World::new(Disconnect::default());
    let (first, second) = second_runs(&mut w);
    w.end(&second, None);
    w.acts.clear();
    w.see(Observation::Unchanged { fence: second.clone() });
    assert_eq!(w.task().state, TaskState::Review);
    let told = |e: &Effect| matches!(e, Effect::Tell { fence, .. } if *fence == first);
    assert!(w.acts.iter().any(told), "{:?}", w.acts);
    let of: Vec<_> = w.task().attempts.iter().map(|a| (a.number(), a.revision, a.reason)).collect();
    assert_eq!(of, [(2, 0, Some(Reason::NoChange)), (1, 1, None)]);
    w.replays();
    // It is what it was: it can be sent back again, and taken.
    ask(&mut w, reject("even shorter", true, &["n2"]));
    let third = w.place(1, 1);
    assert_eq!((third.attempt.number, w.task().active().unwrap().continues.clone().unwrap().attempt), (3, 1));
    w.start(&third);
    w.end(&third, None);
    w.see(Observation::Unchanged { fence: third });
    w.accept();
}

#[test]
fn nothing_done_over_a_revision_that_failed_its_checks_is_a_fault() {
    let mut w = World::new(Disconnect::default());
    let (_, second) = second_runs(&mut w);
    w.end(&second, None);
    let patch = PatchId::new("patch").unwrap();
    w.see(Observation::PatchOpened { fence: second.clone(), patch, revision: 2 });
    let (checks, gaps, node) = (Vec::new(), Vec::new(), me());
    w.see(Observation::Verified { fence: second, verdict: Verdict::Not, node, checks, gaps });
    let third = w.place(1, 1);
    w.start(&third);
    w.end(&third, None);
    w.see(Observation::Unchanged { fence: third });
    assert_eq!(w.task().state, TaskState::Queued, "the newest revision is one that does not pass");
    assert_eq!(w.task().attempts.last().unwrap().reason, Some(Reason::NoChange));
    w.replays();
}

#[test]
fn notes_begin_so_many_turns_and_then_a_person_decides() {
    let mut w = World::new(Disconnect::default());
    let bound = ikigai_task::Policy::default().note_turns;
    for n in 1..=bound {
        revision(&mut w, n, Verdict::Verified);
        ask(&mut w, reject("again", true, &[&n.to_string()]));
        assert_ne!(w.task().state, TaskState::Review, "{n}");
    }
    revision(&mut w, bound + 1, Verdict::Verified);
    for times in [1, 0] {
        ask(&mut w, reject("again", true, &["one more"]));
        assert_eq!((w.task().state, w.task().notes_held), (TaskState::Review, true));
        let told = w.acts.iter().filter(|e| matches!(e, Effect::Tell { .. })).count();
        assert_eq!(told, times, "it is said once");
    }
    let id = w.task().spec.id.clone();
    let why = w.owner.why(&id, w.now, &|_| "n".to_owned()).unwrap();
    assert!(why.cause == "notes" && why.text.contains("began 20 turns"), "{why:?}");
    w.replays();
    // What was not answered is told after the turn that a person begins.
    ask(&mut w, reject("enough; only fix the typo", true, &[]));
    revision(&mut w, bound + 2, Verdict::Verified);
    ask(&mut w, reject("again", true, &["one more"]));
    assert_eq!((w.task().noted, w.task().notes_held), (1, false));
    w.replays();
}

#[test]
fn a_log_from_before_patches_had_revisions_is_read() {
    let old =
        r#"{"type":"patch-opened","fence":{"attempt":{"task":"p.f.T001","number":2},"epoch":2},"patch":"x"}"#;
    let Event::PatchOpened { revision, .. } = serde_json::from_str(old).unwrap() else { panic!("{old}") };
    assert_eq!(revision, 1);
    let old = r#"{"attempt":1,"commit":"c","base":"b"}"#;
    let from: ikigai_task::Continues = serde_json::from_str(old).unwrap();
    assert_eq!((from.commit, from.reviewed), (Commit("c".to_owned()), false));
    let Event::Rejected { notes, .. } = serde_json::from_str(r#"{"type":"rejected","text":"no"}"#).unwrap()
    else {
        panic!("a rejection")
    };
    assert!(notes.is_empty());
}

fn after_the_back_off(w: &mut World) {
    w.now = w.now.after(std::time::Duration::from_secs(3_600));
    w.input(Input::Wake);
}

#[test]
fn what_its_checks_call_not_is_taken_by_force_only() {
    let mut w = World::new(Disconnect::default());
    let mut last = revision(&mut w, 1, Verdict::Not);
    for n in 2..=w.task().spec.max_attempts {
        after_the_back_off(&mut w);
        last = revision(&mut w, n, Verdict::Not);
    }
    assert_eq!(w.task().state, TaskState::Failed(Reason::CheckFailed));
    w.see(Observation::Archived { task: w.task().spec.id.clone() });
    ask(&mut w, Command::Accept { force: false });
    assert!(matches!(w.refused, Some(ikigai_task::Refusal::NotVerified(_))), "{:?}", w.refused);
    assert_eq!(w.task().state, TaskState::Failed(Reason::CheckFailed));

    ask(&mut w, Command::Accept { force: true });
    assert_eq!((w.task().state, w.refused.clone()), (TaskState::Review, None));
    assert!(w.acts.contains(&Effect::Merge(last.clone())) && w.task().archived, "{:?}", w.acts);
    w.see(Observation::Merged { fence: last, commit: Commit("m".to_owned()) });
    assert_eq!(w.task().state, TaskState::Accepted);
    w.replays();

    // What never became a patch cannot be taken, however much anybody wants it.
    let mut w = World::new(Disconnect::default());
    for _ in 0..w.task().spec.max_attempts {
        let fence = w.place(1, 1);
        w.end(&fence, Some(Reason::Agent));
        after_the_back_off(&mut w);
    }
    assert_eq!(w.task().state, TaskState::Failed(Reason::Agent));
    ask(&mut w, Command::Accept { force: true });
    assert!(matches!(w.refused, Some(ikigai_task::Refusal::Illegal { .. })), "{:?}", w.refused);
}
