//! The scheduling rules, each in a small file and its whole graph.

use ikigai_speckit::{EdgeReason, Graph, TaskIdx, parse};

#[track_caller]
fn check(text: &str, expected: &str) {
    let parsed = parse(text, "t");
    assert_eq!(parsed.errors, [], "errors");
    let graph = Graph::build(&parsed.document).expect("a graph");
    let warnings: String = graph.warnings.iter().map(|w| format!("warning {w}\n")).collect();
    let expected: String = expected.lines().map(|l| format!("{}\n", l.trim_start())).collect();
    assert_eq!(warnings + &graph.to_text(), expected);
}

fn graph(text: &str) -> Graph {
    Graph::build(&parse(text, "t").document).expect("a graph")
}

#[test]
fn a_phase_runs_in_file_order_with_parallel_neighbours() {
    check(
        "## Phase 1: Setup\n- [ ] T001 a\n- [ ] T002 [P] b\n- [ ] T003 [P] c\n- [ ] T004 d\n- [ ] T005 e\n- [ ] T006 [P] f\n",
        "wave 1: T001
         wave 2: T002 T003
         wave 3: T004
         wave 4: T005
         wave 5: T006
         T002 <- T001 (file order)
         T003 <- T001 (file order)
         T004 <- T002 (file order), T003 (file order)
         T005 <- T004 (file order)
         T006 <- T005 (file order)",
    );
}

#[test]
fn parallel_tasks_at_the_top_of_a_phase_start_with_it() {
    check(
        "## Phase 1: Setup\n- [ ] T001 [P] a\n- [ ] T002 [P] b\n- [ ] T003 c\n",
        "wave 1: T001 T002
         wave 2: T003
         T003 <- T001 (file order), T002 (file order)",
    );
}

#[test]
fn foundational_blocks_all_stories_stories_are_independent_polish_is_last() {
    check(
        "## Phase 1: Setup\n- [ ] T001 a\n## Phase 2: Foundational\n- [ ] T002 b\n\
         ## Phase 3: User Story 1 - x (Priority: P1)\n- [ ] T003 [US1] c\n- [ ] T004 [US1] d\n\
         ## Phase 4: User Story 2 - y (Priority: P2)\n- [ ] T005 [US2] e\n- [ ] T006 [US2] f\n\
         ## Phase 5: Polish\n- [ ] T007 [P] g\n- [ ] T008 h\n## Phase 6: Convergence\n- [ ] T009 i\n",
        "wave 1: T001
         wave 2: T002
         wave 3: T003 T005
         wave 4: T004 T006
         wave 5: T007
         wave 6: T008
         wave 7: T009
         T002 <- T001 (phase)
         T003 <- T002 (phase)
         T004 <- T003 (file order)
         T005 <- T002 (phase)
         T006 <- T005 (file order)
         T007 <- T004 (phase), T006 (phase)
         T008 <- T007 (file order)
         T009 <- T008 (phase)",
    );
}

#[test]
fn a_phase_between_stories_keeps_its_place_and_empty_phases_block_nothing() {
    check(
        "## Phase 1: User Story 1\n- [ ] T001 [US1] a\n## Phase 2: Foundational\n\nNothing.\n\n\
         ## Phase 3: Data migration\n- [ ] T002 b\n## Phase 4: User Story 2\n- [ ] T003 [US2] c\n",
        "wave 1: T001
         wave 2: T002
         wave 3: T003
         T002 <- T001 (phase)
         T003 <- T002 (phase)",
    );
}

#[test]
fn two_phases_of_one_story_follow_each_other() {
    check(
        "## Phase 1: User Story 1, tests\n- [ ] T001 [US1] a\n## Phase 2: User Story 2\n- [ ] T002 [US2] b\n\
         ## Phase 3: User Stories 1 & 3\n- [ ] T003 [US1] c\n",
        "wave 1: T001 T002
         wave 2: T003
         T003 <- T001 (phase)",
    );
}

#[test]
fn the_same_file_in_two_stories_is_sequential_and_so_is_a_directory() {
    check(
        "## Phase 1: User Story 1\n- [ ] T001 [US1] a in src/app.rs\n- [ ] T002 [P] [US1] b in src/b.rs\n\
         ## Phase 2: User Story 2\n- [ ] T003 [US2] c in src/app.rs\n- [ ] T004 [P] [US2] d in docs/\n\
         ## Phase 3: User Story 3\n- [ ] T005 [US3] e in docs/deep/e.md\n- [ ] T006 [P] [US3] per src/app.rs\n",
        "wave 1: T001
         wave 2: T002 T003
         wave 3: T004
         wave 4: T005
         wave 5: T006
         T002 <- T001 (file order)
         T003 <- T001 (same file src/app.rs)
         T004 <- T003 (file order)
         T005 <- T004 (same file docs)
         T006 <- T005 (file order)",
    );
}

#[test]
fn a_directory_waits_for_everything_inside_it() {
    check(
        "## Phase 1: Setup\n- [ ] T001 [P] in a/x/1.rs\n- [ ] T002 [P] in a/x/2.rs\n- [ ] T003 [P] in a/y/3.rs\n\
         - [ ] T004 [P] in a/x/\n- [ ] T005 [P] in a/x/1.rs\n- [ ] T006 [P] in all of a/**/*.rs\n",
        "wave 1: T001 T002 T003
         wave 2: T004
         wave 3: T005
         wave 4: T006
         T004 <- T001 (same file a/x/1.rs), T002 (same file a/x/2.rs)
         T005 <- T004 (same file a/x)
         T006 <- T003 (same file a/y/3.rs), T005 (same file a/x/1.rs)",
    );
}

#[test]
fn tests_come_before_code_in_a_story() {
    check(
        "## Phase 3: User Story 1\n### Tests for User Story 1\n- [ ] T001 [P] [US1] Contract test in tests/a.rs\n\
         - [ ] T002 [P] [US1] Integration test in tests/b.rs\n### Implementation for User Story 1\n\
         - [ ] T003 [P] [US1] Model in src/m.rs\n- [ ] T004 [P] [US1] Service in src/s.rs\n- [ ] T005 [US1] Route in src/r.rs\n\
         - [ ] T006 [P] [US1] Unit tests in tests/c.rs\n- [ ] T007 [P] [US1] Help in src/h.rs\n",
        "wave 1: T001 T002
         wave 2: T003 T004
         wave 3: T005
         wave 4: T006
         wave 5: T007
         T003 <- T001 (tests first), T002 (tests first)
         T004 <- T001 (tests first), T002 (tests first)
         T005 <- T003 (file order), T004 (file order)
         T006 <- T005 (file order)
         T007 <- T006 (tests first)",
    );
}

#[test]
fn a_later_task_named_explicitly_runs_first() {
    check(
        "## Phase 1: Setup\n- [ ] T001 a\n- [ ] T002 b (depends on T004)\n- [ ] T003 c\n- [ ] T004 d\n- [ ] T005 e\n",
        "warning t:3:26: T002 depends on T004, which comes later in the file; T004 runs first
         wave 1: T001
         wave 2: T003
         wave 3: T004
         wave 4: T002
         wave 5: T005
         T002 <- T004 (explicit)
         T003 <- T001 (file order)
         T004 <- T003 (file order)
         T005 <- T002 (file order)",
    );
}

#[test]
fn a_task_of_an_earlier_phase_may_wait_for_a_story() {
    check(
        "## Phase 1: Foundational\n- [ ] T001 a\n- [ ] T002 b (depends on T004)\n## Phase 2: User Story 1\n\
         - [ ] T003 [US1] c\n- [ ] T004 [US1] d\n- [ ] T005 [US1] e\n## Phase 3: User Story 2\n- [ ] T006 [US2] f\n",
        "warning t:3:26: T002 depends on T004, which comes later in the file; T004 runs first
         wave 1: T001
         wave 2: T003
         wave 3: T004
         wave 4: T002
         wave 5: T005 T006
         T002 <- T004 (explicit)
         T003 <- T001 (phase)
         T004 <- T003 (file order)
         T005 <- T002 (phase)
         T006 <- T002 (phase)",
    );
}

#[test]
fn files_follow_explicit_order_too() {
    check(
        "## Phase 1: Setup\n- [ ] T001 [P] x in src/a.rs (depends on T002)\n- [ ] T002 [P] y in src/a.rs\n",
        "warning t:2:42: T001 depends on T002, which comes later in the file; T002 runs first
         wave 1: T002
         wave 2: T001
         T001 <- T002 (explicit)",
    );
}

#[test]
fn a_guess_gives_way_where_it_would_make_a_cycle() {
    check(
        "## Phase 1: Setup\n- [ ] T001 a, after T002 if possible\n- [ ] T002 b (depends on T001)\n",
        "warning t:2:21: the guess that T001 depends on T002 is left out: it would make a cycle
         wave 1: T001
         wave 2: T002
         T002 <- T001 (explicit)",
    );
}

#[test]
fn stories_and_phases_as_dependencies() {
    check(
        "## Phase 1: User Story 1\n- [ ] T001 [US1] a\n- [ ] T002 [US1] b\n## Phase 2: User Story 2\n\
         - [ ] T003 [US2] c (depends on US1)\n- [ ] T004 [P] [US2] d (depends on Phase 1)\n\
         ## Phase 3: User Story 3 (depends on US2)\n- [ ] T005 [P] [US3] e\n",
        "wave 1: T001
         wave 2: T002
         wave 3: T003
         wave 4: T004
         wave 5: T005
         T002 <- T001 (file order)
         T003 <- T002 (explicit)
         T004 <- T003 (file order)
         T005 <- T004 (explicit)",
    );
}

#[test]
fn ready_tasks_and_what_the_others_wait_for() {
    let text = "## Phase 1: Setup\n- [X] T001 a\n- [ ] T002 b\n## Phase 2: User Story 1\n- [X] T003 [US1] c\n- [ ] T004 [US1] d (depends on T002)\n";
    let parsed = parse(text, "t");
    let graph = Graph::build(&parsed.document).expect("a graph");
    let done = |t: TaskIdx| parsed.document.tasks[t.0].done;
    assert_eq!(graph.ready(done), [TaskIdx(1)]);
    let waits = graph.waiting_for(TaskIdx(3), done);
    assert_eq!(waits.len(), 1);
    assert_eq!((waits[0].from, &waits[0].reason), (TaskIdx(1), &EdgeReason::Explicit));
    assert_eq!(graph.ready(|t| done(t) || t == TaskIdx(1)), [TaskIdx(3)]);
    assert!(graph.ready(|_| true).is_empty());
    assert!(graph.waiting_for(TaskIdx(99), done).is_empty());
}

#[test]
fn a_task_ticked_by_hand_opens_no_phase() {
    let text = "## Phase 1: Foundational\n- [ ] T001 a\n## Phase 2: User Story 1\n- [X] T002 [US1] b\n- [ ] T003 [US1] c\n";
    let parsed = parse(text, "t");
    let graph = Graph::build(&parsed.document).expect("a graph");
    assert_eq!(
        graph.ready(|t| parsed.document.tasks[t.0].done),
        [TaskIdx(0)],
        "T003 still waits for phase 1"
    );
}

#[test]
fn the_critical_path_is_the_heaviest_chain() {
    let graph = graph(
        "## Phase 1: User Story 1\n- [ ] T001 [US1] a\n- [ ] T002 [US1] b\n## Phase 2: User Story 2\n- [ ] T003 [US2] c\n\
         ## Phase 3: Polish\n- [ ] T004 d\n",
    );
    assert_eq!(graph.critical_path(|_| 1), [TaskIdx(0), TaskIdx(1), TaskIdx(3)]);
    assert_eq!(graph.critical_path(|t| if t == TaskIdx(2) { 10 } else { 1 }), [TaskIdx(2), TaskIdx(3)]);
    assert!(!graph.critical_path(|_| u64::MAX).is_empty(), "weights saturate");
}

#[test]
fn an_empty_graph() {
    let graph = graph("nothing here");
    assert!(graph.is_empty());
    assert!(graph.waves().is_empty() && graph.edges().is_empty() && graph.critical_path(|_| 1).is_empty());
    assert_eq!(graph.to_text(), "");
}

#[test]
fn dot() {
    let graph = graph(
        "## Phase 1: Setup\n- [ ] T001 a in `src/a.rs`\n- [ ] T002 [P] b\n- [ ] T003 c (depends on T001)\n",
    );
    insta::assert_snapshot!(graph.to_dot(), @r#"
    digraph tasks {
      rankdir=LR;
      node [shape=box];
      "T001";
      "T002";
      "T003";
      "T001" -> "T002" [label="file order", style=dashed];
      "T002" -> "T003" [label="file order", style=dashed];
    }
    "#);
}

#[test]
fn a_title_with_a_word_for_summaries_is_still_a_title() {
    let graph = graph(
        "# Tasks: Text statistics overview\n## Phase 1: Setup\n- [ ] T001 a\n\
         ## Phase 2: User Story 1 - A (Priority: P1)\n- [ ] T002 [US1] b\n\
         ## Phase 3: User Story 2 - B (Priority: P2)\n- [ ] T003 [US2] c\n",
    );
    assert_eq!(graph.waves(), [vec![TaskIdx(0)], vec![TaskIdx(1), TaskIdx(2)]]);
}
