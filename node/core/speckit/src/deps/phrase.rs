//! The words that make a list of ids a dependency.

use std::sync::LazyLock;

use super::Relation;
use crate::id::{ends_word, starts_word};
use crate::lines::is_space;

/// How far back from a list its words are looked for, in bytes.
const REACH: usize = 90;

/// Words before a list that say what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trigger {
    /// Where they begin.
    pub(crate) start: usize,
    pub(crate) relation: Relation,
    /// A plain statement wherever it stands.
    pub(crate) strong: bool,
    /// Only a guess even in brackets.
    pub(crate) loose: bool,
}

/// Words after a list that say what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Depends { guessed: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Force {
    Strong,
    Weak,
    Loose,
}

use Force::{Loose, Strong, Weak};
use Relation::{Blocks, On};

/// Lower case. The one that ends last wins, then the longest.
#[rustfmt::skip]
const TRIGGERS: &[(&str, Relation, Force)] = &[
    ("depends on", On, Strong), ("depend on", On, Strong), ("depends upon", On, Strong),
    ("depending on", On, Weak), ("dependent on", On, Strong), ("depends", On, Strong),
    ("depends only on", On, Strong), ("depend only on", On, Strong), ("depends:", On, Strong),
    ("dependency", On, Weak), ("dependencies", On, Strong), ("dependency:", On, Strong),
    ("deps", On, Strong), ("dep:", On, Strong), ("dep", On, Weak), ("blocked by", On, Strong),
    ("blocked on", On, Strong), ("blocked until", On, Strong), ("blocker:", On, Strong),
    ("blockers:", On, Strong), ("requires", On, Strong), ("require", On, Weak), ("requiring", On, Weak),
    ("needs", On, Weak), ("need", On, Loose), ("prerequisite", On, Strong), ("prerequisites", On, Strong),
    ("prereq", On, Strong), ("prereqs", On, Strong), ("pre-requisite", On, Strong),
    ("waits for", On, Strong), ("wait for", On, Strong), ("waits on", On, Strong),
    ("wait until", On, Strong), ("waits until", On, Strong), ("gated by", On, Strong),
    ("gated on", On, Strong), ("builds on", On, Weak), ("relies on", On, Strong), ("after", On, Weak),
    ("once", On, Weak), ("following", On, Loose), ("must follow", On, Strong), ("follows", On, Weak),
    ("sequential after", On, Weak), ("←", On, Strong), ("<-", On, Strong), ("⇐", On, Strong),
    ("depende de", On, Strong), ("depende do", On, Strong), ("depende da", On, Strong),
    ("dependem de", On, Strong), ("depende", On, Strong), ("dependência", On, Strong),
    ("dependências", On, Strong), ("dependencia", On, Strong), ("dependencias", On, Strong),
    ("requer", On, Strong), ("requiere", On, Strong), ("após", On, Weak), ("depois de", On, Weak),
    ("depois da", On, Weak), ("después de", On, Weak), ("tras", On, Weak), ("bloqueado por", On, Strong),
    ("bloqueada por", On, Strong), ("dépend de", On, Strong), ("dépendances", On, Strong),
    ("dépendance", On, Strong), ("après", On, Weak), ("nécessite", On, Strong), ("requiert", On, Strong),
    ("bloqué par", On, Strong), ("hängt ab von", On, Strong), ("abhängig von", On, Strong),
    ("abhängigkeit", On, Strong), ("abhängigkeiten", On, Strong), ("benötigt", On, Strong),
    ("nach", On, Weak), ("blockiert durch", On, Strong), ("dipende da", On, Strong), ("dopo", On, Weak),
    ("zależy od", On, Strong), ("зависит от", On, Strong), ("зависимости", On, Strong), ("после", On, Weak),
    ("依赖", On, Strong), ("依赖于", On, Strong), ("依賴", On, Strong), ("前置", On, Strong), ("前置条件", On, Strong),
    ("前置任务", On, Strong), ("阻塞于", On, Strong), ("依存", On, Strong), ("依存先", On, Strong),
    ("依存タスク", On, Strong), ("依存関係", On, Strong), ("前提", On, Strong), ("前提条件", On, Strong),
    ("先行", On, Strong), ("의존", On, Strong), ("의존성", On, Strong), ("선행", On, Strong),
    ("blocks", Blocks, Strong), ("unblocks", Blocks, Strong), ("blocking", Blocks, Weak),
    ("required by", Blocks, Strong), ("required for", Blocks, Strong), ("needed by", Blocks, Strong),
    ("needed for", Blocks, Weak), ("prerequisite for", Blocks, Strong), ("prerequisite of", Blocks, Strong),
    ("dependency of", Blocks, Strong), ("dependency for", Blocks, Strong), ("before", Blocks, Weak),
    ("prior to", Blocks, Weak), ("must precede", Blocks, Strong), ("precedes", Blocks, Strong),
    ("antes de", Blocks, Weak), ("antes da", Blocks, Weak), ("avant", Blocks, Weak), ("阻塞", Blocks, Strong),
];

/// Words that may stand between the trigger and the list after any trigger.
#[rustfmt::skip]
const FILLER: &[&str] = &[
    "on", "upon", "of", "from", "the", "task", "tasks", "both", "all", "only", "also", "completing",
    "completion", "and", "story", "stories", "de", "da", "do", "das", "dos", "la", "le", "el", "las", "les",
    "los", "tarefa", "tarefas", "tarea", "tareas", "von", "по", "任务", "タスク", "is", "are", "at", "least",
    "finishing", "existing", "prior", "yes", "by", "to", "implementing", "red", "green", "phase",
];

const AFTER_STRONG: &[&str] = &["に依存", "へ依存", "에 의존"];
#[rustfmt::skip]
const AFTER_WEAK: &[&str] = &[
    "完了後", "の完了後", "の後", "後に", "以降", "完成后", "完成後", "之后", "之後", "以后", "が前提", "must complete first",
    "must be complete first", "must be completed first", "must be done first", "must finish first",
    "must land first", "has to be done first", "completes first",
];

/// Words just before the trigger that turn it round.
#[rustfmt::skip]
const NEGATION: &[&str] = &[
    "not", "no", "never", "without", "longer", "don't", "doesn't", "nothing", "isn't", "aren't",
    "independent", "não", "nao", "sin", "sem", "pas", "nicht", "kein", "keine", "neither", "nor", "avoid",
];

/// The trigger that governs the list which follows `before`, if there is one.
pub(crate) fn before_list(before: &str) -> Option<Trigger> {
    let mut cut = before.len().saturating_sub(REACH);
    while !before.is_char_boundary(cut) {
        cut += 1;
    }
    let near = lower(&before[cut..]);
    let (start, end, relation, force) = last_trigger(&near)?;
    if !fills(&near[end..], force) || negated(&near[..start]) {
        return None;
    }
    Some(Trigger { start: cut + start, relation, strong: force == Strong, loose: force == Loose })
}

/// Whether the words after a list make it a dependency.
pub(crate) fn after_list(after: &str) -> Option<After> {
    let after = after.trim_start_matches(|c: char| is_space(c) || matches!(c, '*' | '`' | '_'));
    let starts = |words: &[&str]| words.iter().any(|w| after.starts_with(w));
    if starts(AFTER_STRONG) {
        return Some(After::Depends { guessed: false });
    }
    starts(AFTER_WEAK).then_some(After::Depends { guessed: true })
}

/// Whether the ids on both sides of `gap` are one list: a comma or "and", with a few words before it.
pub(crate) fn joins(gap: &str) -> bool {
    if matches!(gap, ", " | "," | "/" | " and " | " & " | "、" | "，") {
        return true;
    }
    if gap.len() > 160 {
        return false;
    }
    let bare: String = gap.chars().filter(|c| !matches!(c, '*' | '`' | '_' | '[' | ']')).collect();
    let bare = bare.trim_matches(is_space);
    if matches!(bare, ";" | "；" | "; and") {
        return true;
    }
    let clause =
        [". ", "。", "; ", "；", " - ", " – ", " — ", "→", "->", "?", "!"].iter().any(|c| bare.contains(c));
    if clause || opens_more_than_closes(bare) || bare.contains(')') && !bare.contains('(') {
        return false;
    }
    if bare.contains('）') && !bare.contains('（') {
        return false;
    }
    let lower = bare.to_lowercase();
    let words: Vec<&str> = lower.split(is_space).filter(|w| !w.is_empty()).collect();
    let lead = words
        .iter()
        .rev()
        .take_while(|w| matches!(**w, "task" | "tasks" | "on" | "the" | "also" | "story"))
        .count();
    let words = &words[..words.len() - lead];
    let Some(last) = words.last() else { return false };
    let separated = last.ends_with([',', '、', '，', '/', '&', '+', '和', '与', '及', 'と'])
        || matches!(*last, "and" | "or" | "e" | "y" | "et" | "und" | "plus" | "i" | "и" | "과" | "와");
    let turns = |w: &&str| {
        let word = w.trim_matches(|c: char| !c.is_alphanumeric());
        matches!(word, "before" | "blocks" | "unblocks" | "after" | "parallel" | "not" | "without")
    };
    separated && !words.iter().any(turns) && words.len() <= 10
}

/// Whether the id before `after` begins a sentence of its own: `T009 depends on …`, `T009 can …`.
pub(crate) fn begins_clause(after: &str) -> bool {
    begins_with(after, &["can", "may", "should", "runs"]) || begins_statement(after)
}

/// Whether the id before `after` is what the next statement is about: `T009 depends on …`.
pub(crate) fn begins_statement(after: &str) -> bool {
    let verbs = ["depends", "depend", "requires", "needs", "blocks", "waits", "follows", "depende"];
    begins_with(after, &verbs)
        || ["依赖", "依存"].iter().any(|w| after.trim_start_matches(is_space).starts_with(w))
}

fn begins_with(after: &str, words: &[&str]) -> bool {
    let after = after.trim_start_matches(|c: char| is_space(c) || matches!(c, '*' | '`' | '_'));
    words.iter().any(|w| after.strip_prefix(w).is_some_and(ends_word))
}

/// Whether the words between an id and a trigger leave the id as the subject of the sentence.
pub(crate) fn is_subject(between: &str) -> bool {
    let plain = between.trim_matches(|c: char| is_space(c) || matches!(c, '*' | '`' | '_' | ']'));
    let words = plain.split(is_space).filter(|w| !w.is_empty()).count();
    let closed = plain.contains(['(', '（', '.', ';', '；', '。', ',', '、', '/']) && !plain.ends_with(')');
    words <= 4 && !closed
}

/// Whether a paragraph begins by naming what it depends on: `**Depends on**: …`.
pub(crate) fn opens_with_dependency(text: &str) -> bool {
    let start = text.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '←');
    let lower: String = lower(&start[..start.floor_char_boundary(64)]);
    triggers_at(&lower).any(|(_, relation, force)| *relation == On && *force == Strong)
}

/// Only words that lead on to the list stand between trigger and list.
fn fills(between: &str, force: Force) -> bool {
    if between.contains(['.', ';', '；', '。', ')', '）', '?', '!', '→', '|', '>']) {
        return false;
    }
    let words: Vec<&str> = between
        .split(|c: char| {
            is_space(c)
                || matches!(c, '*' | '_' | '`' | '~' | ':' | '：' | '(' | '[' | '（' | '「' | ',' | '#' | '=')
        })
        .filter(|w| !w.is_empty())
        .collect();
    let known = words.iter().all(|w| FILLER.contains(w) || w.chars().count() <= 3 && !w.is_ascii());
    known || force == Strong && words.len() <= 3 && !between.contains([',', '、', '，'])
}

fn negated(before: &str) -> bool {
    if before.ends_with(['不', '无', '無', '非']) || before.ends_with("不再") {
        return true;
    }
    let clause = before.rsplit(['(', '（', ';', ',', '.']).next().unwrap_or(before);
    clause
        .split(is_space)
        .filter(|w| !w.is_empty())
        .rev()
        .take(3)
        .any(|w| NEGATION.contains(&w.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'')))
}

fn opens_more_than_closes(text: &str) -> bool {
    text.matches(['(', '（']).count() > text.matches([')', '）']).count()
}

/// The trigger in `text` that ends last; of two that end together, the longer one.
fn last_trigger(text: &str) -> Option<(usize, usize, Relation, Force)> {
    let mut best: Option<(usize, usize, Relation, Force)> = None;
    for (start, c) in text.char_indices() {
        if c.is_ascii_alphanumeric() && !starts_word(&text[..start]) {
            continue;
        }
        for (word, relation, force) in triggers_at(&text[start..]) {
            let end = start + word.len();
            if best.is_none_or(|(_, last, ..)| end > last) {
                best = Some((start, end, *relation, *force));
            }
        }
    }
    best
}

/// Triggers that `text` begins with.
fn triggers_at(text: &str) -> impl Iterator<Item = &'static (&'static str, Relation, Force)> {
    static BY_FIRST_BYTE: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
        let mut buckets = vec![Vec::new(); 256];
        for (i, (word, ..)) in TRIGGERS.iter().enumerate() {
            buckets[usize::from(word.as_bytes()[0])].push(i);
        }
        buckets
    });
    let first = text.as_bytes().first().map_or(0, |b| usize::from(*b));
    BY_FIRST_BYTE[first].iter().map(|i| &TRIGGERS[*i]).filter(move |(word, ..)| {
        let ascii = word.ends_with(|c: char| c.is_ascii_alphanumeric());
        text.strip_prefix(word).is_some_and(|rest| !ascii || ends_word(rest))
    })
}

/// Lower case that keeps every byte offset: only letters whose lower case is as long are changed.
fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .map(|c| {
            let mut low = c.to_lowercase();
            match (low.next(), low.next()) {
                (Some(l), None) if l.len_utf8() == c.len_utf8() => l,
                _ => c,
            }
        })
        .collect()
}
