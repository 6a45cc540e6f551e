//! Ticking and adding tasks: what changes, and that nothing else does.

use ikigai_speckit::{AppendError, AppendOptions, TickError, append_task, parse, tick, untick};

/// Stands in for a real hash: equal texts, equal hashes.
fn hash(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

fn ticked(text: &str, id: &str) -> Result<String, TickError> {
    tick(text, id, &hash(text.as_bytes()), hash)
}

#[test]
fn one_byte_changes() {
    let text = "\u{feff}# T\r\n\r\n*\t[ ]\tT001 日本 [ ]\r\n- [x] T002 b\r\n";
    let after = ticked(text, "T001").expect("ticked");
    assert_eq!(after, text.replacen("[ ]", "[X]", 1));
    assert_eq!(untick(&after, "T001", &hash(after.as_bytes()), hash).as_deref(), Ok(text));
}

#[test]
fn ticking_twice_changes_nothing_and_keeps_the_authors_letter() {
    let text = "- [x] T001 a\n- [X] T002 b\n- [ ] T003 c\n";
    for id in ["T001", "T002"] {
        assert_eq!(ticked(text, id).as_deref(), Ok(text));
    }
    assert_eq!(untick(text, "T003", &hash(text.as_bytes()), hash).as_deref(), Ok(text));
}

#[test]
fn a_file_that_changed_is_not_touched() {
    let error = tick("- [ ] T001 a\n", "T001", &hash(b"something else"), hash).expect_err("changed");
    assert_eq!(error.to_string(), "the file is not the one that was read");
    assert_eq!(error.hint(), "read the file again and retry");
    let done = tick("- [x] T001 a\n", "T001", &hash(b"something else"), hash);
    assert_eq!(done, Err(TickError::Changed), "also when the box is ticked already");
}

#[test]
fn missing_duplicate_and_malformed_tasks_are_refused_with_their_line() {
    let text = "- [ ] T001 a\n- [ ] T002 b\n- [ ] T001 c\n- [-] T003 d\n- T004 e\n```\n- [ ] T005 f\n```\n";
    let say = |id: &str| ticked(text, id).expect_err(id).to_string();
    assert_eq!(say("T001"), "line 3: T001 is also on line 1");
    assert_eq!(say("T003"), "line 4: malformed box [-] of T003");
    assert_eq!(say("T004"), "line 5: task T004 has no box");
    assert_eq!(say("T005"), "no task T005 in 8 lines");
    assert_eq!(say("T00"), "no task T00 in 8 lines");
    assert!(ticked(text, "T002").is_ok(), "the others can still be ticked");
}

#[test]
fn a_summary_that_repeats_an_id_is_left_alone() {
    let text = "## Phase 1: Setup\n- [ ] T001 a\n## Summary\n- [ ] T001 a\n";
    assert_eq!(
        ticked(text, "T001").as_deref(),
        Ok("## Phase 1: Setup\n- [X] T001 a\n## Summary\n- [ ] T001 a\n")
    );
}

const STORIES: &str = "# Tasks\n\n## Phase 1: Setup\n\n- [ ] T001 a\n\n## Phase 2: User Story 1\n\n- [ ] T002 [US1] b\n  wrapped\n  - verify: `make`\n\n**Checkpoint**: b\n\n## Phase 3: Polish\n\n- [ ] T007 c\n\n## Notes\n\nLater.\n";

#[test]
fn a_task_goes_to_the_end_of_the_last_phase() {
    let new =
        append_task(STORIES, "  Write\tthe  docs\nin docs/ ", &AppendOptions::default()).expect("appended");
    assert_eq!((new.id.as_str(), new.line), ("T008", 18));
    assert_eq!(
        new.text,
        STORIES.replace("- [ ] T007 c\n", "- [ ] T007 c\n- [ ] T008 Write the docs in docs/\n")
    );
}

#[test]
fn a_task_of_a_story_goes_below_everything_of_its_last_task() {
    let options = AppendOptions { story: Some(1), parallel: true };
    let new = append_task(STORIES, "d", &options).expect("appended");
    assert_eq!(new.text, STORIES.replace("`make`\n", "`make`\n- [ ] T008 [P] [US1] d\n"));
}

#[test]
fn newlines_bullets_indents_and_the_last_byte_are_kept() {
    let add = |text: &str| append_task(text, "new", &AppendOptions::default()).expect("appended").text;
    assert_eq!(add("- [ ] T001 a"), "- [ ] T001 a\n- [ ] T002 new");
    assert_eq!(add("* [ ] T001 a\r\n"), "* [ ] T001 a\r\n* [ ] T002 new\r\n");
    assert_eq!(add("  - [x] T001 a  \n\nend"), "  - [x] T001 a  \n  - [ ] T002 new\n\nend");
    assert_eq!(add("- [ ] T001 a\r- [ ] T004 b\r"), "- [ ] T001 a\r- [ ] T004 b\r- [ ] T005 new\r");
    assert_eq!(add(""), "- [ ] T001 new\n");
    assert_eq!(add("\u{feff}"), "\u{feff}- [ ] T001 new\n");
    assert_eq!(add("# Tasks\n\n"), "# Tasks\n\n- [ ] T001 new\n\n");
    assert_eq!(
        add("## Phase 1: Setup\n\n## Phase 2: Polish\n\nWords.\n\n---\n"),
        "## Phase 1: Setup\n\n## Phase 2: Polish\n\nWords.\n\n- [ ] T001 new\n\n---\n"
    );
}

#[test]
fn ids_are_never_used_again_and_grow_past_three_digits() {
    let add =
        |text: &str| append_task(text, "new", &AppendOptions::default()).expect("appended").id.to_string();
    assert_eq!(add("- [ ] T999 a\n"), "T1000");
    assert_eq!(add("- [ ] T001 a\n<!-- - [ ] T041 withdrawn -->\n"), "T042");
    assert_eq!(add("- [ ] T012b a\n- [-] T020 b\n"), "T021");
}

#[test]
fn what_cannot_be_added_says_why() {
    let add = |description: &str, story| {
        append_task(STORIES, description, &AppendOptions { story, parallel: false })
    };
    assert_eq!(add(" \n", None), Err(AppendError::Empty));
    let error = add("x", Some(9)).expect_err("no such story");
    assert_eq!((error.to_string().as_str(), error.hint().as_str()), ("no phase of US9", "choose one of US1"));
    let error = add("x (depends on T099)", None).expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "the new task cannot be read: tasks.md:18:26: T008 depends on T099, which no task has"
    );
    assert_eq!(error.hint(), "add the task T099, or correct the id");
    assert!(matches!(add(&"x".repeat(5000), None), Err(AppendError::TooLong { length: 5000 })));
}

#[test]
fn a_file_with_problems_of_its_own_can_still_grow() {
    let text = "- [ ] T001 a (depends on T050)\n- [ ] T01 b\n";
    let new = append_task(text, "c", &AppendOptions::default()).expect("appended");
    assert_eq!(parse(&new.text, "x").errors.len(), 2);
}

#[test]
fn fifty_thousand_lines() {
    let mut text = String::from("## Phase 1: Setup\r\n\r\n");
    for id in 1..=49_998 {
        text += &format!("- [ ] T{id:03} Write src/m{id}.rs\r\n");
    }
    let parsed = parse(&text, "x");
    assert_eq!((parsed.document.tasks.len(), parsed.errors.len(), parsed.warnings.len()), (49_998, 0, 0));
    assert_eq!(parsed.document.task("T49998").map(|t| t.line), Some(50_000));
    let after = ticked(&text, "T49998").expect("ticked");
    assert_eq!(after.bytes().zip(text.bytes()).filter(|(a, b)| a != b).count(), 1);
    let graph = ikigai_speckit::Graph::build(&parsed.document).expect("a graph");
    assert_eq!(graph.waves().len(), 49_998);
}
