//! Labels that begin a paragraph or a sub-bullet: `**Checkpoint**: …`, `verify: …`.

use crate::deps;
use crate::lines::is_space;

/// What a label announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    None,
    Checkpoint,
    IndependentTest,
    Depends,
    Verify,
    /// A list of things to check follows.
    Checklist,
    /// Points to something instead of changing it.
    Reference,
    /// Any other bold label.
    Other,
}

const CHECKPOINT: &[&str] =
    &["checkpoint", "ponto de verificação", "punto de control", "检查点", "チェックポイント", "체크포인트"];
const INDEPENDENT: &[&str] = &[
    "independent test",
    "独立测试",
    "独立テスト",
    "teste independente",
    "prueba independiente",
    "test indépendant",
    "독립 테스트",
];
#[rustfmt::skip]
const VERIFY: &[&str] = &[
    "verify", "verification", "verify by", "check", "checks", "verify with", "检验", "验证", "検証", "確認",
];
#[rustfmt::skip]
const CHECKLIST: &[&str] = &[
    "acceptance", "checklist", "criteria", "validation", "definition of done", "done when", "dod", "gate",
    "exit", "success", "completion", "验收", "完了条件", "受け入れ",
];
#[rustfmt::skip]
const REFERENCE: &[&str] = &[
    "reference", "references", "see", "ref", "refs", "source", "based on", "note", "notes", "why",
    "rationale", "example", "test", "tests", "expected", "参照", "参考",
];

/// What the beginning of a paragraph announces.
pub(crate) fn label_of(text: &str) -> Label {
    let Some(label) = label_text(text) else {
        return if deps::opens_with_dependency(text) && text.starts_with(['*', '_', '>', '⚠']) {
            Label::Depends
        } else {
            Label::None
        };
    };
    let lower = label.to_lowercase();
    let starts = |words: &[&str]| words.iter().any(|w| lower.starts_with(w));
    match () {
        () if starts(CHECKPOINT) => Label::Checkpoint,
        () if starts(INDEPENDENT) => Label::IndependentTest,
        () if deps::opens_with_dependency(&lower) => Label::Depends,
        () if VERIFY.iter().any(|w| lower == *w) => Label::Verify,
        () if CHECKLIST.iter().any(|w| lower.contains(w)) => Label::Checklist,
        () if REFERENCE.iter().any(|w| lower == *w) => Label::Reference,
        () if text.starts_with("**") || text.starts_with("__") => Label::Other,
        () => Label::None,
    }
}

/// The text after the label.
pub(crate) fn value(text: &str) -> String {
    let Some(at) = text.find([':', '：', '—', '–']).filter(|at| *at < 80) else {
        return text.to_owned();
    };
    let rest = text[at..].trim_start_matches([':', '：', '—', '–']);
    rest.trim_start_matches(['*', '_']).trim_matches(is_space).to_owned()
}

/// `Checkpoint` in `**Checkpoint**: …`, `Verify` in `*Verify:* …`, `verify` in `verify: …`.
fn label_text(text: &str) -> Option<&str> {
    let start = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let end = start.char_indices().take(48).find(|(_, c)| matches!(c, ':' | '：' | '*'))?.0;
    let bold = start[end..].starts_with('*');
    let after = start[end..].trim_start_matches('*').trim_start_matches(is_space);
    let closed =
        !bold || text.starts_with(['*', '>', '-', '⚠', '✅']) || after.starts_with([':', '：', '—', '–']);
    let label = start[..end].trim_matches(|c: char| is_space(c) || matches!(c, '_' | '`'));
    (closed && !label.is_empty() && !label.contains(['.', '/', '('])).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_as_people_write_them() {
        for (text, expected) in [
            ("**Checkpoint**: all green", Label::Checkpoint),
            ("**Checkpoint US1**: all green", Label::Checkpoint),
            ("✅ **Checkpoint:** all green", Label::Checkpoint),
            ("**Independent Test**: run it", Label::IndependentTest),
            ("**Depends on**: T001", Label::Depends),
            ("**Dependencies**: T001-T003 complete", Label::Depends),
            ("verify: `cargo test`", Label::Verify),
            ("*Verify*: it works", Label::Verify),
            ("**Acceptance Criteria**:", Label::Checklist),
            ("**Goal**: be good", Label::Other),
            ("see: the plan", Label::Reference),
            ("in src/a.rs: do it", Label::None),
            ("plain words", Label::None),
        ] {
            assert_eq!(label_of(text), expected, "{text}");
        }
    }

    #[test]
    fn the_value_of_a_label() {
        assert_eq!(value("**Checkpoint**: all green"), "all green");
        assert_eq!(value("**Independent Test:** run it: now"), "run it: now");
        assert_eq!(value("✅ **Checkpoint** — done"), "done");
    }
}
