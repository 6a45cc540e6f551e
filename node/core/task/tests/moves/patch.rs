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
