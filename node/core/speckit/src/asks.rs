//! What a task asks of the machine it runs on: sub-bullets `requires:`, `prefers:`, `class:` and `spread:`.

use crate::document::Task;
use crate::lines::is_space;
use crate::mention;

/// One such sub-bullet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Line it begins on.
    pub line: u32,
    /// What it says.
    pub kind: AskKind,
    /// The words after the colon, without the code span around them.
    pub value: String,
}

/// What a sub-bullet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskKind {
    /// Tags a node must carry.
    Requires,
    /// Tags that are wished for.
    Prefers,
    /// Kind of work.
    Class,
    /// What is to be kept apart.
    Spread,
}

impl AskKind {
    /// The word before the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requires => "requires",
            Self::Prefers => "prefers",
            Self::Class => "class",
            Self::Spread => "spread",
        }
    }
}

/// What `task` asks for, in the order of its lines. `requires: T003` is a dependency, and a line of several words
/// that are no conditions (`requires: a running database`) is prose: neither is one.
pub fn asks(task: &Task) -> Vec<Ask> {
    task.details.iter().filter_map(|d| ask(d.line, &d.text)).collect()
}

fn ask(line: u32, text: &str) -> Option<Ask> {
    let (label, value) = text.split_once(':')?;
    let label = label.trim_matches(|c: char| is_space(c) || matches!(c, '*' | '_' | '`'));
    let kinds = [AskKind::Requires, AskKind::Prefers, AskKind::Class, AskKind::Spread];
    let kind = kinds.into_iter().find(|k| label.eq_ignore_ascii_case(k.name()))?;
    let value = value.trim_start_matches('*').trim_matches(|c: char| is_space(c) || c == '`');
    let is_one = match kind {
        AskKind::Requires | AskKind::Prefers => says_conditions(value),
        AskKind::Class | AskKind::Spread => !value.contains(is_space),
    };
    (is_one && !value.is_empty()).then(|| Ask { line, kind, value: value.to_owned() })
}

/// Whether every part between commas looks like a condition on a tag.
fn says_conditions(value: &str) -> bool {
    let condition = |part: &str| part.contains('=') || part.ends_with(" exists") || part.ends_with(" absent");
    let lists = value.contains(" in (") || value.contains(" notin (");
    mention::find(value).is_empty()
        && (lists || value.split(',').all(|p| condition(p.trim_matches(is_space))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_asks_for_its_machine_and_prose_does_not() {
        for (text, kind, value) in [
            ("requires: gpu=true, region=eu", AskKind::Requires, "gpu=true, region=eu"),
            ("**Requires**: `gpu exists`", AskKind::Requires, "gpu exists"),
            ("requires: zone in (a,b),disk!=hdd", AskKind::Requires, "zone in (a,b),disk!=hdd"),
            ("Prefers: disk=ssd@200", AskKind::Prefers, "disk=ssd@200"),
            ("class: ml", AskKind::Class, "ml"),
            ("spread: group:node", AskKind::Spread, "group:node"),
        ] {
            let expected = Ask { line: 7, kind, value: value.to_owned() };
            assert_eq!(ask(7, text), Some(expected), "{text}");
        }
        for text in [
            "requires: T003",
            "requires: a running database",
            "Requires: Node >= 18, a browser",
            "class: the base class of all",
            "verify: `make test`",
            "requires:",
        ] {
            assert_eq!(ask(7, text), None, "{text}");
        }
    }
}
