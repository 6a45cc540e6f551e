//! Dependencies in running text: `(depends on T012, T013)` and the many ways people write it.
//!
//! Reading goes from the mentions: each run of ids that belong together is a list, and the words
//! before it (or after it, in Japanese and Chinese) say whether the list is a dependency.

use crate::mention::{self, Mention, Mentioned};

mod phrase;

pub(crate) use phrase::opens_with_dependency;
use phrase::{After, Trigger};

/// Whether the text depends on the list, or the list on the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    On,
    Blocks,
}

/// A dependency that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Other tasks the sentence is about; empty when it is about the text's own task.
    pub(crate) subjects: Vec<Mentioned>,
    pub(crate) relation: Relation,
    /// What is named, each with its byte offset.
    pub(crate) targets: Vec<(usize, Mentioned)>,
    /// Read from loose prose rather than from a plain statement.
    pub(crate) guessed: bool,
    /// The words the reading rests on.
    pub(crate) words: String,
}

/// All dependencies in `text`.
pub(crate) fn read(text: &str) -> Vec<Found> {
    let mentions = mention::find(text);
    let mut found = Vec::new();
    let mut at = 0;
    let mut floor = 0; // text before this belongs to what was read already
    let mut subject: Option<std::ops::Range<usize>> = None;
    while at < mentions.len() {
        let first = &mentions[at];
        let before = &text[floor..first.start];
        let end = list_end(text, &mentions, at);
        let last = &mentions[end - 1];
        let subject_itself = phrase::begins_statement(&text[last.end..]);
        let trigger = phrase::before_list(before).filter(|t| fits(t, first) && !subject_itself);
        let after = || phrase::after_list(&text[last.end..]);
        match (trigger, subject.take()) {
            (Some(trigger), previous) => {
                let said = previous
                    .filter(|p| phrase::is_subject(&text[mentions[p.end - 1].end..floor + trigger.start]));
                found.push(statement(text, &mentions, at..end, said, &trigger, floor));
            }
            (None, _) => match after() {
                Some(After::Depends { guessed }) => {
                    let words = text[first.start..].chars().take(last.end - first.start + 6).collect();
                    found.push(plain(&mentions[at..end], guessed, words));
                }
                None => {
                    subject = Some(at..end);
                }
            },
        }
        floor = last.end;
        at = end;
    }
    found
}

/// Stories and phases are dependencies only when the words leave no doubt.
fn fits(trigger: &Trigger, mention: &Mention) -> bool {
    match mention.target {
        Mentioned::Task(_) | Mentioned::Tasks(..) => true,
        Mentioned::Story(_) | Mentioned::Stories(..) | Mentioned::Phase(_) => {
            trigger.strong && trigger.relation == Relation::On
        }
    }
}

fn statement(
    text: &str,
    mentions: &[Mention],
    list: std::ops::Range<usize>,
    subject: Option<std::ops::Range<usize>>,
    trigger: &Trigger,
    floor: usize,
) -> Found {
    let start = floor + trigger.start;
    let open = text[..start].rfind(['(', '[', '（', '【', '{']);
    let in_brackets = open.is_some_and(|o| !text[o..start].contains([')', ']', '）', '】', '}']));
    let subjects: Vec<Mentioned> =
        subject.map(|s| mentions[s].iter().map(|m| m.target.clone()).collect()).unwrap_or_default();
    let words = text[start..mentions[list.end - 1].end].chars().take(60).collect();
    Found {
        guessed: !subjects.is_empty() || !(trigger.strong || in_brackets && !trigger.loose),
        subjects,
        relation: trigger.relation,
        targets: mentions[list].iter().map(|m| (m.start, m.target.clone())).collect(),
        words,
    }
}

fn plain(list: &[Mention], guessed: bool, words: String) -> Found {
    let targets = list.iter().map(|m| (m.start, m.target.clone())).collect();
    Found { subjects: Vec::new(), relation: Relation::On, targets, guessed, words }
}

/// One past the last mention of the list that begins at `first`.
fn list_end(text: &str, mentions: &[Mention], first: usize) -> usize {
    let mut end = first + 1;
    while end < mentions.len()
        && phrase::joins(&text[mentions[end - 1].end..mentions[end].start])
        && !phrase::begins_clause(&text[mentions[end].end..])
    {
        end += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        let list = |targets: Vec<&Mentioned>| {
            targets.iter().map(|t| t.to_string().replace(' ', "")).collect::<Vec<_>>().join(",")
        };
        let say = |f: &Found| {
            let subject =
                if f.subjects.is_empty() { String::new() } else { list(f.subjects.iter().collect()) + ":" };
            let sign = if f.relation == Relation::On { "<" } else { ">" };
            let guess = if f.guessed { "?" } else { "" };
            format!("{subject}{sign}{}{guess}", list(f.targets.iter().map(|t| &t.1).collect()))
        };
        read(text).iter().map(say).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(show(text), *expected, "{text}");
        }
    }

    #[test]
    fn the_grammar_and_words_inside_the_list() {
        check(&[
            ("Implement it (depends on T012, T013)", "<T012,T013"),
            ("x (depends on T007 models)", "<T007"),
            ("x (depends on T003, same file)", "<T003"),
            ("x (depends on T002; data-model.md)", "<T002"),
            ("x (depends on T048: auth fix)", "<T048"),
            ("x (depends on T007 models, T009 services and T011)", "<T007,T009,T011"),
            ("x (FR-008; depends on T003/T006/T007)", "<T003,T006,T007"),
            ("x (depends on T001-T005, T009)", "<T001–T005,T009"),
            ("x (depends on **T001**, `T002` & T003)", "<T001,T002,T003"),
            ("x (depends on T013 (needs a design), T003)", "<T013,T003"),
            ("x (depends on completion of tasks T001 and T002)", "<T001,T002"),
            ("x — depends only on T002", "<T002"),
            ("x (depends on T003; T005)", "<T003,T005"),
            ("x (depends on T002, T003, and on T004)", "<T002,T003,T004"),
        ]);
    }

    #[test]
    fn other_words_for_it() {
        check(&[
            ("Depends on: T010, T011", "<T010,T011"),
            ("**Dependencies**: T001-T003 complete", "<T001–T003"),
            ("x (deps: T001, T002)", "<T001,T002"),
            ("x [after: T004]", "<T004"),
            ("x (after T004)", "<T004"),
            ("Verify after T004", "<T004?"),
            ("x (requires T003)", "<T003"),
            ("**requires T003 complete, T030 RED confirmed**", "<T003,T030"),
            ("x (blocked by T009)", "<T009"),
            ("x (needs T009)", "<T009"),
            ("x (prerequisite: T001)", "<T001"),
            ("x ← T004, T005", "<T004,T005"),
            ("x (waits for T003)", "<T003"),
            ("x (blocked until T003 lands)", "<T003"),
            ("Once T004 is merged, go on", "<T004?"),
        ]);
    }

    #[test]
    fn other_languages() {
        check(&[
            ("x (depende de T005 e T006)", "<T005,T006"),
            ("x (depende do T005)", "<T005"),
            ("x（依存: T001, T003、T005）", "<T001,T003,T005"),
            ("x（依存：T002、並列実行可能）", "<T002"),
            ("x（依赖 T006/T007/T011）", "<T006,T007,T011"),
            ("x；依赖 T033；使 T030 单测变绿", "<T033"),
            ("x（依赖 T015/T016 完成）", "<T015,T016"),
            ("T012に依存する", "<T012"),
            ("T012完了後に実装する", "<T012?"),
            ("在 T012 完成后执行", "<T012?"),
            ("x (requer T003)", "<T003"),
            ("x (dépend de T003 et T004)", "<T003,T004"),
            ("x (зависит от T003)", "<T003"),
            ("x (abhängig von T003 und T004)", "<T003,T004"),
        ]);
    }

    #[test]
    fn the_other_direction_and_other_subjects() {
        check(&[
            ("x (blocks T013, T014)", ">T013,T014"),
            ("x (must be done before T012)", ">T012"),
            ("T004 depends on T003; T005 depends on T004 (same file)", "T004:<T003? T005:<T004?"),
            ("T013 depends on T011 and T012", "T013:<T011,T012?"),
            ("**Dependencies**: T010 requires T009", "T010:<T009?"),
            ("(depends on T003; blocks T009)", "<T003 >T009"),
            ("x (depends on T003, before T009)", "<T003 >T009"),
        ]);
    }

    #[test]
    fn stories_and_phases() {
        check(&[
            ("x (depends on US1)", "<US1"),
            ("x (depends on Phase 2, US1)", "<Phase2,US1"),
            ("x（依存: Phase 1 完了）", "<Phase1"),
            ("works after US1 for all", ""),
            ("Integrate with US1 components", ""),
        ]);
    }

    #[test]
    fn mentions_that_are_no_dependency() {
        check(&[
            ("x (T012)", ""),
            ("Refactor what T004 made, as in T005", ""),
            ("does not depend on T004", ""),
            ("no longer depends on T004", ""),
            ("independent of T004", ""),
            ("can run in parallel with T005", ""),
            ("(parallel with T005 and T006)", ""),
            ("unlike T005, this one is small", ""),
            ("(depends on T003, not T004)", "<T003"),
            ("not blocked by T004", ""),
            ("requires a database. See T004", ""),
            ("after the release (T004)", ""),
        ]);
    }
}
