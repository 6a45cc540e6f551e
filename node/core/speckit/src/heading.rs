//! Headings: which begin a phase, what the phase is for, which only summarise.

use crate::document::PhaseKind;
use crate::lines::is_space;
use crate::mention::{self, Mentioned};

/// A heading, read.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) level: usize,
    /// As written, without the marks.
    pub(crate) text: String,
    /// Set when it names a phase.
    pub(crate) phase: Option<Named>,
    /// A summary, an overview, a list of dependencies: ids in it repeat tasks, they do not define them.
    pub(crate) summary: bool,
    /// A list of things to check, not of tasks.
    pub(crate) checklist: bool,
    /// The tasks under it write tests; `Some(false)` when it says they do not.
    pub(crate) tests: Option<bool>,
}

/// A phase as its heading names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) number: Option<String>,
    pub(crate) title: String,
    pub(crate) kind: PhaseKind,
    pub(crate) stories: Vec<u32>,
    /// Says "Phase N" or "Final Phase"; otherwise only its words suggest a phase.
    pub(crate) explicit: bool,
}

#[rustfmt::skip]
const PHASE: &[&str] = &[
    "phase", "fase", "étape", "etape", "etapa", "schritt", "этап", "фаза", "フェーズ", "阶段", "階段", "第", "단계",
    "milestone", "sprint",
];
#[rustfmt::skip]
const SETUP: &[&str] = &[
    "setup", "set-up", "set up", "initiali", "scaffold", "bootstrap", "project structure", "preparation",
    "セットアップ", "準備", "环境准备", "准备", "初始化", "搭建", "configuração", "configuración", "configuration initiale",
    "preparação", "preparación", "preparación", "installation", "préparation", "설정", "настройка",
    "einrichtung",
];
#[rustfmt::skip]
const FOUNDATION: &[&str] = &[
    "foundation", "fundação", "fundacional", "fundament", "fundaç", "blocking prerequisites", "基盤", "基础",
    "基礎", "기반", "fondation", "fondament", "fundacion", "основа", "grundlage",
];
#[rustfmt::skip]
const POLISH: &[&str] = &[
    "polish", "cross-cutting", "cross cutting", "hardening", "acabamento", "polimento", "pulido", "仕上げ",
    "ポリッシュ", "横断", "收尾", "打磨", "完善", "마무리", "finition", "finalização", "finalización", "полировка",
    "feinschliff",
];
const CONVERGE: &[&str] = &["convergence", "converge", "convergência", "convergencia", "収束", "收敛"];
#[rustfmt::skip]
const STORY: &[&str] = &[
    "user stories", "user story", "userstory", "ユーザーストーリー", "用户故事", "使用者故事", "história de usuário",
    "história de utilizador", "historia de usuario", "récit utilisateur", "histoire utilisateur", "사용자 스토리",
    "stories", "story", "história", "historia", "ストーリー", "故事",
];
#[rustfmt::skip]
const SUMMARY: &[&str] = &[
    "summary", "overview", "dependenc", "execution order", "parallel example", "parallel opportunit",
    "parallel execution", "implementation strategy", "task count", "recap", "mapping", "matrix",
    "traceability", "progress", "statistics", "coverage", "graph", "notes", "appendix", "format:", "resumo",
    "resumen", "résumé", "dependência", "dépendance", "estratégia", "estrategia", "サマリ", "まとめ", "依存関係",
    "概要", "总结", "汇总", "总览", "概览", "依赖关系", "执行顺序", "并行", "統計", "统计", "index",
];
#[rustfmt::skip]
const CHECKLIST: &[&str] = &[
    "checklist", "checkpoint", "criteria", "definition of done", "validation", "acceptance", "sign-off",
    "gate", "success", "verification", "dod", "review", "ready", "quality", "チェックリスト", "完了条件", "受け入れ", "检查",
    "验收", "完成定义", "critérios", "criterios", "verificação", "verificación",
];
const TESTS: &[&str] =
    &["test", "tests", "testing", "テスト", "测试", "測試", "testes", "pruebas", "테스트", "тесты", "tdd"];
const CODE: &[&str] =
    &["implement", "実装", "实现", "實作", "实施", "구현", "реализация", "umsetzung", "mise en œuvre"];

/// Reads a heading line, or a bold line that names a phase.
pub(crate) fn read(line: &str) -> Option<Heading> {
    let trimmed = line.trim_matches(is_space);
    let level = trimmed.bytes().take_while(|b| *b == b'#').count();
    if (1..=6).contains(&level) && trimmed[level..].starts_with(is_space) {
        let text = trimmed[level..].trim_matches(is_space).trim_end_matches('#').trim_end_matches(is_space);
        return Some(describe(level, text));
    }
    let bold = trimmed.strip_prefix("**").and_then(|t| t.strip_suffix("**")).filter(|t| !t.contains("**"))?;
    let heading = describe(4, bold);
    heading.phase.as_ref().is_some_and(|p| p.explicit).then_some(heading)
}

fn describe(level: usize, text: &str) -> Heading {
    let plain = strip_marks(text);
    let lower = plain.to_lowercase();
    let named = name(plain, &lower);
    let explicit = named.as_ref().is_some_and(|n| n.explicit);
    let has = |words: &[&str]| words.iter().any(|w| find_word(&lower, w).is_some());
    Heading {
        level,
        text: text.to_owned(),
        // The title of the whole file names the feature, whatever words it is made of.
        summary: level > 1 && !explicit && has(SUMMARY),
        checklist: level > 1 && !explicit && has(CHECKLIST),
        tests: tests(&lower),
        phase: named,
    }
}

/// A heading about tests, about code, or about neither or both.
fn tests(lower: &str) -> Option<bool> {
    let has = |words: &[&str]| words.iter().any(|w| find_word(lower, w).is_some());
    match (has(TESTS), has(CODE)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        // "Tests for User Story 1 (write first, before implementation)"
        (true, true) => TESTS.iter().any(|w| lower.starts_with(w)).then_some(true),
        (false, false) => None,
    }
}

fn name(plain: &str, lower: &str) -> Option<Named> {
    let (number, title, explicit) = match phase_number(plain, lower) {
        Some((number, title)) => (number, title, true),
        None => (None, plain, false),
    };
    let lower_title = title.to_lowercase();
    let stories = stories(title, &lower_title);
    let kind = kind(&lower_title, &stories);
    let suggestive = starts_with_any(&lower_title, &[SETUP, FOUNDATION, POLISH, CONVERGE])
        || (starts_with_any(&lower_title, &[STORY]) || lower_title.starts_with("us")) && !stories.is_empty();
    (explicit || suggestive).then(|| Named { number, title: title.to_owned(), kind, stories, explicit })
}

/// `Phase 3.1: Title`, `Final Phase: Title`, `フェーズ3：…`, `第3阶段：…`.
fn phase_number<'a>(plain: &'a str, lower: &str) -> Option<(Option<String>, &'a str)> {
    if lower.len() != plain.len() {
        return None; // lower-casing moved the offsets: no such heading is known
    }
    if let Some(rest) = lower.strip_prefix("final phase").or_else(|| lower.strip_prefix("last phase")) {
        return Some((None, title_after(&plain[plain.len() - rest.len()..])));
    }
    let word = PHASE.iter().find(|w| lower.starts_with(**w))?;
    let rest = &plain[word.len()..];
    let number_at = rest.find(|c: char| !is_space(c) && c != '#')?;
    let after = &rest[number_at..];
    let length = number_length(after);
    if length == 0 || (word.is_ascii() && number_at == 0) {
        return None;
    }
    let mut title = &after[length..];
    if *word == "第" {
        title = ["阶段", "階段", "フェーズ", "期"]
            .iter()
            .find_map(|s| title.trim_start_matches(is_space).strip_prefix(*s))?;
    }
    Some((Some(after[..length].to_owned()), title_after(title)))
}

/// `3`, `3.1`, `3a`, `N`, `IV`, `三`.
fn number_length(text: &str) -> usize {
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let digits = text[..digits].trim_end_matches('.').len();
    let rest = &text[digits..];
    if digits > 0 {
        let letter = rest.starts_with(|c: char| c.is_ascii_lowercase())
            && !rest[1..].starts_with(char::is_alphanumeric);
        return digits + usize::from(letter);
    }
    let roman = text.bytes().take_while(|b| matches!(b, b'I' | b'V' | b'X' | b'N')).count();
    if roman > 0 && !text[roman..].starts_with(char::is_alphanumeric) {
        return roman;
    }
    text.char_indices().find(|(_, c)| !"零一二三四五六七八九十".contains(*c)).map_or(text.len(), |(i, _)| i)
}

fn title_after(rest: &str) -> &str {
    rest.trim_start_matches(|c: char| is_space(c) || matches!(c, ':' | '：' | '-' | '–' | '—' | '.' | '|'))
}

fn kind(lower: &str, stories: &[u32]) -> PhaseKind {
    for (words, kind) in [
        (FOUNDATION, PhaseKind::Foundational),
        (CONVERGE, PhaseKind::Convergence),
        (POLISH, PhaseKind::Polish),
        (SETUP, PhaseKind::Setup),
    ] {
        if starts_with_any(lower, &[words]) {
            return kind;
        }
    }
    if let Some(number) = stories.first() {
        return PhaseKind::Story { number: *number, priority: priority(lower) };
    }
    let has = |words: &[&str]| words.iter().any(|w| find_word(lower, w).is_some());
    match () {
        () if has(CONVERGE) => PhaseKind::Convergence,
        () if has(FOUNDATION) => PhaseKind::Foundational,
        () if has(POLISH) => PhaseKind::Polish,
        () if has(SETUP) => PhaseKind::Setup,
        () => PhaseKind::Other,
    }
}

/// Story numbers in a title: `User Story 1`, `US1 + US2`, `User Stories 1 & 2`, `[US3]`.
fn stories(title: &str, lower: &str) -> Vec<u32> {
    // "(blocks US1–US4)", "depends on US1": not the stories of this phase
    let cut = ["depend", "block", "after us", "requires", "依存", "依赖"]
        .iter()
        .filter_map(|w| lower.find(w))
        .min();
    let title = cut.and_then(|c| title.get(..c)).unwrap_or(title);
    let mut numbers = Vec::new();
    for mention in mention::find(title) {
        let new: Vec<u32> = match mention.target {
            Mentioned::Story(n) => vec![n],
            Mentioned::Stories(several) => several,
            _ => continue,
        };
        numbers.extend(new.into_iter().filter(|n| !numbers.contains(n)).collect::<Vec<_>>());
    }
    numbers
}

/// `(Priority: P1)`, `(P2)`, `优先级：P1`.
fn priority(lower: &str) -> Option<u32> {
    lower.match_indices('p').find_map(|(at, _)| {
        let rest = &lower[at + 1..];
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let word = (1..=2).contains(&length)
            && crate::id::starts_word(&lower[..at])
            && crate::id::ends_word(&rest[length..]);
        word.then(|| rest[..length].parse().ok())?
    })
}

fn starts_with_any(lower: &str, lists: &[&[&str]]) -> bool {
    lists.iter().any(|words| words.iter().any(|w| lower.starts_with(w)))
}

fn find_word(text: &str, word: &str) -> Option<usize> {
    text.match_indices(word).map(|(at, _)| at).find(|at| crate::id::starts_word(&text[..*at]))
}

/// Emphasis, emoji, links and numbering in front of a heading.
fn strip_marks(text: &str) -> &str {
    let text = text.trim_matches(|c: char| is_space(c) || matches!(c, '*' | '_' | '`' | '#' | '~'));
    let numbered = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let text = if numbered.len() < text.len() && numbered.starts_with(is_space) { numbered } else { text };
    text.trim_start_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '(' | '（'))
}
