//! What holds for every file: 5,000 generated ones in the manner of Spec-Kit, and arbitrary text.

use std::collections::BTreeSet;

use ikigai_speckit::{AppendOptions, Graph, Parsed, TaskIdx, append_task, parse, tick, untick};
use proptest::prelude::*;

/// The number of generated files the round trip promises.
const FILES: u32 = 5_000;

fn hash(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

fn same(bytes: &[u8]) -> usize {
    bytes.len()
}

#[derive(Debug, Clone)]
struct Line {
    done: bool,
    parallel: bool,
    words: String,
    path: Option<u8>,
    /// How far back, or ahead, a dependency points.
    depends: Vec<i8>,
    extra: u8,
}

fn line() -> impl Strategy<Value = Line> {
    let words =
        prop_oneof!["[a-z]{1,8}( [a-z]{1,8}){0,4}", "\\PC{1,20}", Just("日本語の作業を行う".to_owned())];
    let depends = prop::collection::vec(prop_oneof![8 => -6..0_i8, 1 => 1..4_i8], 0..3);
    (any::<bool>(), any::<bool>(), words, prop::option::of(0..12_u8), depends, any::<u8>()).prop_map(
        |(done, parallel, words, path, depends, extra)| Line { done, parallel, words, path, depends, extra },
    )
}

/// A whole file: phases of lines, newline style, byte order mark, first id.
fn file() -> impl Strategy<Value = String> {
    let phases = prop::collection::vec(prop::collection::vec(line(), 0..6), 1..6);
    (phases, any::<bool>(), any::<bool>(), prop_oneof![Just(1_u32), Just(997), 1..20_000_u32])
        .prop_map(|(phases, crlf, bom, first)| render(&phases, crlf, bom, first))
}

fn render(phases: &[Vec<Line>], crlf: bool, bom: bool, first: u32) -> String {
    let last = phases.len() - 1;
    let mut out = String::from("# Tasks: generated\n\n");
    let mut id = first;
    let total: u32 = phases.iter().map(|p| p.len() as u32).sum();
    for (i, lines) in phases.iter().enumerate() {
        let title = match i {
            0 => "Setup".to_owned(),
            1 => "Foundational".to_owned(),
            i if i == last => "Polish".to_owned(),
            i => format!("User Story {} - generated (Priority: P{i})", i - 1),
        };
        out += &format!("## Phase {}: {title}\n\n", i + 1);
        let story = if i > 1 && i < last { format!(" [US{}]", i - 1) } else { String::new() };
        for one in lines {
            out += &one_line(one, id, first, first + total, &story);
            id += 1;
        }
        out += "\n**Checkpoint**: so far\n\n```text\n- [ ] T001 in a fence\n```\n\n";
    }
    let out = if crlf { out.replace('\n', "\r\n") } else { out };
    if bom { format!("\u{feff}{out}") } else { out }
}

fn one_line(one: &Line, id: u32, first: u32, end: u32, story: &str) -> String {
    let bullet = if one.extra & 1 == 0 { "-" } else { "*" };
    let box_text = if !one.done {
        " "
    } else if one.extra & 2 == 0 {
        "x"
    } else {
        "X"
    };
    let parallel = if one.parallel { " [P]" } else { "" };
    let path = one.path.map_or_else(String::new, |p| format!(" in `src/{}/m{p}.rs`", p % 3));
    let on: Vec<String> = one
        .depends
        .iter()
        .map(|d| i64::from(id) + i64::from(*d))
        .filter(|n| *n >= i64::from(first) && *n < i64::from(end) && *n != i64::from(id))
        .map(|n| format!("T{n:03}"))
        .collect();
    let wrap = if one.extra & 4 == 0 { " " } else { "\n  " };
    let on = if on.is_empty() { String::new() } else { format!("{wrap}(depends on {})", on.join(", ")) };
    let detail = if one.extra & 8 == 0 { "" } else { "\n  - verify: `make check`\n  - [ ] a sub-item" };
    format!("{bullet} [{box_text}] T{id:03}{parallel}{story} {}{path}{on}{detail}\n", clean(&one.words))
}

/// Generated words must not look like ids, markers, comments or code.
fn clean(words: &str) -> String {
    let words: String = words.chars().filter(|c| !"[]`<>*_~#(){}|:/\\.TU0123456789".contains(*c)).collect();
    format!("do {}", words.trim())
}

fn numbers(text: &str) -> Vec<(String, bool)> {
    let mut fence = false;
    let mut found = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        fence ^= line.starts_with("```");
        let Some(rest) = line.strip_prefix("- [").or_else(|| line.strip_prefix("* [")).filter(|_| !fence)
        else {
            continue;
        };
        found.push((rest[3..].split(' ').next().unwrap_or("").to_owned(), !rest.starts_with(' ')));
    }
    found
}

fn pairs(parsed: &Parsed) -> Vec<(String, bool)> {
    parsed.document.tasks.iter().map(|t| (t.id.to_string(), t.done)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: FILES, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every task is found, each box flips as one byte, and flips back to the very same file.
    #[test]
    fn files_round_trip_byte_for_byte_but_for_the_one_box(text in file(), pick in any::<prop::sample::Index>()) {
        let parsed = parse(&text, "t");
        prop_assert_eq!(pairs(&parsed), numbers(&text));
        if parsed.document.tasks.is_empty() {
            return Ok(());
        }
        let task = pick.get(&parsed.document.tasks);
        let on = tick(&text, task.id.as_str(), &hash(text.as_bytes()), hash).expect("ticked");
        let changed: Vec<usize> = (0..text.len()).filter(|i| text.as_bytes()[*i] != on.as_bytes()[*i]).collect();
        prop_assert_eq!(on.len(), text.len());
        prop_assert_eq!(changed, if task.done { vec![] } else { vec![task.box_offset] });
        prop_assert!(parse(&on, "t").document.task(task.id.as_str()).is_some_and(|t| t.done));
        if !task.done {
            prop_assert_eq!(untick(&on, task.id.as_str(), &hash(on.as_bytes()), hash).expect("unticked"), text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The graph has no cycle, waves respect every edge, and ready tasks are exactly the next wave.
    #[test]
    fn graphs_are_acyclic_and_ready_tasks_are_waves(text in file()) {
        let parsed = parse(&text, "t");
        let Ok(graph) = Graph::build(&parsed.document) else {
            prop_assert!(parsed.errors.iter().any(|e| e.to_string().contains("cycle")), "{:?}", parsed.errors);
            return Ok(());
        };
        let waves = graph.waves();
        let mut wave_of = vec![usize::MAX; graph.len()];
        let mut done = BTreeSet::new();
        for (i, wave) in waves.iter().enumerate() {
            prop_assert_eq!(&graph.ready(|t| done.contains(&t)), wave);
            for task in wave {
                wave_of[task.0] = i;
                let open: Vec<_> = graph.waiting_for(*task, |t| done.contains(&t));
                prop_assert!(open.is_empty());
            }
            done.extend(wave.iter().copied());
        }
        prop_assert_eq!(done.len(), parsed.document.tasks.len());
        for edge in graph.edges() {
            prop_assert!(wave_of[edge.from.0] < wave_of[edge.to.0]);
        }
        for (i, task) in parsed.document.tasks.iter().enumerate() {
            for on in task.dependency_ids() {
                let before = parsed.document.index_of(on.as_str()).expect("known");
                prop_assert!(wave_of[before.0] < wave_of[i], "{} on {on}", task.id);
            }
        }
        prop_assert!(graph.critical_path(|_| 1).len() == waves.len());
    }

    /// Leaving out what follows from the rest loses nothing: the same tasks stand before each.
    #[test]
    fn reduced_edges_say_the_same(text in file()) {
        let Ok(graph) = Graph::build(&parse(&text, "t").document) else { return Ok(()) };
        let mut reduced = vec![BTreeSet::new(); graph.len()];
        let mut full = vec![BTreeSet::new(); graph.len()];
        let edges = graph.edges();
        for task in graph.waves().into_iter().flatten() {
            let shown: Vec<TaskIdx> = edges.iter().filter(|e| e.to == task).map(|e| e.from).collect();
            let direct: Vec<TaskIdx> = graph.direct(task).iter().map(|e| e.from).collect();
            prop_assert!(shown.iter().all(|t| direct.contains(t)));
            reduced[task.0] = close(&shown, &reduced);
            full[task.0] = close(&direct, &full);
        }
        prop_assert_eq!(reduced, full);
    }

    /// Tasks that claim overlapping paths never share a wave.
    #[test]
    fn the_same_file_is_never_in_two_hands(text in file()) {
        let parsed = parse(&text, "t");
        let Ok(graph) = Graph::build(&parsed.document) else { return Ok(()) };
        for wave in graph.waves() {
            let mut held = BTreeSet::new();
            for task in wave {
                for claim in parsed.document.tasks[task.0].claims() {
                    prop_assert!(held.insert(claim.path.clone()), "{} is held twice", claim.path);
                }
            }
        }
    }

    /// What is appended is found again, in its phase, with the next id; everything before stays.
    #[test]
    fn an_appended_task_is_found(text in file(), story in 1..4_u32, parallel in any::<bool>()) {
        let before = parse(&text, "t");
        let known = before.document.phases.iter().any(|p| p.stories.contains(&story));
        let options = AppendOptions { story: known.then_some(story), parallel };
        let new = append_task(&text, "Write the manual in docs/manual.md", &options).expect("appended");
        let after = parse(&new.text, "t");
        let task = after.document.task(new.id.as_str()).expect("found");
        prop_assert_eq!((task.line, task.parallel, task.story()), (new.line, parallel, options.story));
        prop_assert_eq!(after.document.tasks.len(), before.document.tasks.len() + 1);
        prop_assert!(before.document.tasks.iter().all(|t| t.id.number() < task.id.number()));
        if known {
            prop_assert!(after.document.phase_of(task).stories.contains(&story));
        }
        let line = format!("[ ] {}", new.id);
        let at = new.text.find(&line).expect("the line");
        let head = new.text[..at].trim_end_matches(['-', '*', ' ', '\r', '\n']);
        prop_assert!(text.starts_with(head));
    }

    /// Nothing makes the reader panic, and offsets always lie inside the text.
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,400}") {
        probe(&text);
    }

    /// Nor does text made of the very words and signs the grammar knows.
    #[test]
    fn grammar_soup_never_panics(parts in prop::collection::vec(prop::sample::select(SOUP), 0..60)) {
        probe(&parts.concat());
    }
}

const SOUP: &[&str] = &[
    "- [ ] ",
    "- [x] ",
    "* [X] ",
    "- [] ",
    "- [é] ",
    "T001",
    "T002",
    "T1000a",
    "T12",
    "t003",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\u{a0}",
    "\u{3000}",
    "[P]",
    "[US1]",
    "[p]",
    "[",
    "]",
    "(",
    ")",
    "（依存: ",
    "）",
    "depends on ",
    "blocks ",
    "before ",
    "after ",
    ", ",
    "; ",
    "–",
    "-",
    " and ",
    "# ",
    "## Phase 1: ",
    "### Tests",
    "## Phase 2: User Story 1 ",
    "US2",
    "Phase 1",
    "```",
    "~~~",
    "<!--",
    "-->",
    "`",
    "**",
    "src/{a,b}/",
    "src/a.rs",
    "{",
    "}",
    "/",
    "\\",
    "verify: ",
    "  - ",
    "> ",
    "---\n",
    "|",
    "日本",
    "\u{feff}",
    "🎯",
    "に依存",
    "**Checkpoint**: ",
    "User Stories 1 & 2",
    "第1阶段：",
    "ß",
    "İ",
    "T001-T009",
    "..",
    "1. [ ] ",
    ":",
];

fn probe(text: &str) {
    let parsed = parse(text, "t");
    for task in &parsed.document.tasks {
        assert!(matches!(&text[task.box_offset..=task.box_offset], " " | "x" | "X"));
        assert!(text.get(task.span.clone()).is_some_and(|s| s.contains(task.id.as_str())));
        tick(text, task.id.as_str(), &text.len(), same).expect("what was read can be ticked");
    }
    if let Ok(graph) = Graph::build(&parsed.document) {
        assert_eq!(graph.waves().into_iter().flatten().count(), graph.len());
        let _ = graph.to_dot();
    }
    let _ = append_task(text, "add it", &AppendOptions::default());
}

fn close(direct: &[TaskIdx], above: &[BTreeSet<TaskIdx>]) -> BTreeSet<TaskIdx> {
    direct.iter().flat_map(|t| above[t.0].iter().copied().chain([*t])).collect()
}
