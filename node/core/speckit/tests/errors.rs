//! Every problem by its exact text, place and hint.

use ikigai_speckit::{Graph, parse};

/// Errors, then warnings, one a line.
fn notes(text: &str) -> String {
    let parsed = parse(text, "specs/001-x/tasks.md");
    let errors = parsed.errors.iter().map(|e| format!("{e}\n  hint: {}", e.hint()));
    errors.chain(parsed.warnings.iter().map(|w| format!("warning {w}"))).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(lines: &[&str], expected: &str) {
    let text = format!("## Phase 1: Setup\n\n{}\n", lines.join("\n"));
    assert_eq!(notes(&text), expected);
}

#[test]
fn a_sound_file_has_nothing_to_say() {
    check(&["- [ ] T001 Do it in src/a.rs", "- [X] T002 [P] Do that in src/b.rs (depends on T001)"], "");
}

#[test]
fn cycles_are_named() {
    check(
        &[
            "- [ ] T001 a (depends on T003)",
            "- [ ] T002 b (depends on T001)",
            "- [ ] T003 c (depends on T002)",
        ],
        "specs/001-x/tasks.md:3:26: dependency cycle: T001 → T003 → T002 → T001 (each waits for the next)\n  \
         hint: remove one of these dependencies",
    );
    check(
        &["- [ ] T001 a (depends on T001)"],
        "specs/001-x/tasks.md:3:26: dependency cycle: T001 depends on itself\n  \
         hint: remove T001 from its own dependencies",
    );
}

#[test]
fn a_cycle_through_a_story_is_one_too() {
    let text = "## Phase 1: Setup\n- [ ] T001 a (depends on US1)\n\
                ## Phase 2: User Story 1\n- [ ] T002 [US1] b (depends on T001)\n";
    assert!(notes(text).starts_with(
        "specs/001-x/tasks.md:2:26: dependency cycle: T001 → T002 → T001 (each waits for the next)"
    ));
}

#[test]
fn unknown_dependencies() {
    check(
        &["- [ ] T001 a", "- [ ] T002 b (depends on T001,", "  T009)"],
        "specs/001-x/tasks.md:5:3: T002 depends on T009, which no task has\n  \
         hint: add the task T009, or correct the id",
    );
    check(
        &["- [ ] T001 a", "- [ ] T002 b after T009 is out"],
        "warning specs/001-x/tasks.md:4:20: T009, named by T002, is no task of this file; left out",
    );
    check(
        &["- [ ] T001 a (depends on 002-user-auth T014)"],
        "warning specs/001-x/tasks.md:3:40: T014, named by T001, is no task of this file; left out",
    );
}

#[test]
fn duplicates() {
    check(
        &["- [ ] T001 a", "- [ ] T001 b"],
        "specs/001-x/tasks.md:4:1: duplicate task id T001, first used on line 3\n  \
         hint: give one of the two the next free id",
    );
}

#[test]
fn malformed_boxes() {
    for (line, found, column) in [
        ("- [ x] T001 a", " x", 3),
        ("- [] T001 a", "", 3),
        ("- [-] T001 a", "-", 3),
        ("- [✓] T001 a", "✓", 3),
        ("- [\u{a0}] T001 a", "\u{a0}", 3),
        ("  * [y] T001 a", "y", 5),
    ] {
        check(
            &[line],
            &format!(
                "specs/001-x/tasks.md:3:{column}: malformed box [{found}] of T001\n  \
                 hint: write [ ] for an open task or [X] for a done one"
            ),
        );
    }
}

#[test]
fn malformed_ids() {
    for (line, found, column) in [
        ("- [ ] T12 a", "T12", 7),
        ("- [ ] t012 a", "t012", 7),
        ("- [ ] T-012 a", "T-012", 7),
        ("- [ ] TXXX a", "TXXX", 7),
        ("- [ ] **T3.1** a", "T3.1", 9),
        ("- [ ] TASK-001 a", "TASK-001", 7),
        ("- [ ] T 001 a", "T 001", 7),
        ("- [ ] T００１ a", "T００１", 7),
        ("- [ ] T001-T004 a", "T001-T004", 7),
        ("- [ ] [P] T001 a", "[P] T001", 7),
    ] {
        check(
            &[line],
            &format!(
                "specs/001-x/tasks.md:3:{column}: malformed task id {found:?}\n  \
                 hint: write T and at least three digits, for example T012, and use no number twice"
            ),
        );
    }
}

#[test]
fn missing_ids_and_boxes() {
    check(
        &["- [ ] T001 a", "- [ ] Create the user model"],
        "specs/001-x/tasks.md:4:1: task without an id: \"Create the user model\"\n  \
         hint: write an id after the box, for example - [ ] T012 …, or move the line out of the task list",
    );
    check(
        &["- [ ] T001 a", "- T002 [P] b"],
        "specs/001-x/tasks.md:4:1: task T002 has no box\n  \
         hint: write - [ ] T002 … so that the task can be ticked",
    );
    check(
        &["- [ ] T001 a", "> - [ ] T002 b"],
        "warning specs/001-x/tasks.md:4:2: T002 stands in a quotation and is not read as a task",
    );
}

#[test]
fn malformed_markers() {
    for (marker, write) in
        [("[p]", "[P]"), ("(P)", "[P]"), ("[P", "[P]"), ("P]", "[P]"), ("[us2]", "[US2]"), ("[US2", "[US2]")]
    {
        check(
            &[&format!("- [ ] T001 {marker} a")],
            &format!("specs/001-x/tasks.md:3:12: malformed marker {marker} of T001\n  hint: write {write}"),
        );
    }
    let parsed = parse("- [ ] T001 [p] [us2] a", "x");
    assert!(parsed.document.tasks[0].parallel, "read as meant all the same");
    assert_eq!(parsed.document.tasks[0].stories, [2]);
}

#[test]
fn fences_and_comments_that_never_end() {
    check(
        &["- [ ] T001 a", "```", "- [ ] T002 b", "- [ ] T003 c"],
        "specs/001-x/tasks.md:4:1: code fence is never closed and hides 2 task lines\n  \
         hint: close the fence with the same characters on their own line",
    );
    check(&["- [ ] T001 a", "```", "text"], "warning specs/001-x/tasks.md:4:1: code fence is never closed");
    check(
        &["- [ ] T001 a", "<!-- oh", "- [ ] T002 b"],
        "warning specs/001-x/tasks.md:4:1: comment is never closed; what follows is read as text",
    );
}

#[test]
fn files_without_tasks() {
    let expected = "specs/001-x/tasks.md:1:1: no task found\n  \
                    hint: write tasks as - [ ] T001 Description with the file path";
    for text in ["", "\u{feff}", "# Tasks\n\nNone yet.\n", "```\n- [ ] T001 a\n```\n"] {
        assert_eq!(notes(text), expected, "{text:?}");
    }
    let prose = "# Tasks\n\n## Phase 1: Setup\n\n### T001: Create it\n\nWords.\n\n### T002: Use it\n";
    assert!(notes(prose).starts_with("specs/001-x/tasks.md:5:1: task T001 has no box\n"), "{}", notes(prose));
}

#[test]
fn lists_of_problems_are_bounded() {
    let text: String = (0..5000).map(|i| format!("- [ ] T{} x\n", i % 90)).collect();
    let parsed = parse(&text, "x");
    assert_eq!(parsed.errors.len(), 1001);
    assert_eq!(parsed.errors[1000].to_string(), "x:1000:7: 4000 more problems left out");
    let wide: String = (1..=3000).map(|i| format!("- [ ] T{i:03} x (depends on T001-T3000)\n")).collect();
    let wide = parse(&wide, "x");
    assert!(wide.errors.iter().any(|e| e.to_string().ends_with("more than 250000 dependencies")));
}

#[test]
fn a_graph_refuses_what_parsing_refused() {
    let cycle = parse("- [ ] T001 a (depends on T002)\n- [ ] T002 b (depends on T001)\n", "x");
    let errors = Graph::build(&cycle.document).expect_err("a cycle");
    assert_eq!(
        errors[0].to_string(),
        "x:1:26: dependency cycle: T001 → T002 → T001 (each waits for the next)"
    );
    let mut sound = parse("- [ ] T001 a (depends on T002)\n- [ ] T002 b\n", "x").document;
    sound.tasks[0].depends_on[0].on =
        ikigai_speckit::Target::Task(ikigai_speckit::TaskId::parse("T404").expect("an id"));
    let errors = Graph::build(&sound).expect_err("an unknown id");
    assert_eq!(errors[0].to_string(), "x:1:26: T001 depends on T404, which no task has");
}

#[test]
fn guesses_are_said_with_their_line() {
    check(
        &["- [ ] T001 a", "- [ ] T002 b, once T001 is merged", "- [ ] T003c d"],
        "warning specs/001-x/tasks.md:4:20: \"once T001\" is read as: T002 depends on T001\n\
         warning specs/001-x/tasks.md:5:7: T003c has a suffix after its number; read as a task of its own",
    );
    check(
        &["- [ ] T001 [Story 2] a", "- [ ] T002 (US2) b", "1. [ ] T003 c", "- [ ] T004 [Parallel] d"],
        "warning specs/001-x/tasks.md:3:12: [Story 2] of T001 is read as [US2]\n\
         warning specs/001-x/tasks.md:4:12: (US2) of T002 is read as [US2]\n\
         warning specs/001-x/tasks.md:5:1: T003 is not a plain - or * list item; read as a task\n\
         warning specs/001-x/tasks.md:6:12: [Parallel] of T004 is read as [P]",
    );
}
