//! What an attempt did last, as its log has it, for an agent that follows and does not know.

use crate::{Options, Parts};
use ikigai_ports::logs::{LogLine, Stream};
use ikigai_task::Task;
use ikigai_task::follow::followed;
use ikigai_wire::agent::{Adapter, EventFormat};
use serde_json::Value;

/// Lines of the log that are looked at.
const LINES: u64 = 200;
/// Texts that are told.
const TEXTS: usize = 8;
/// Characters of each.
const CHARS: usize = 240;

/// What the attempt before the one numbered `number` ran and said last. Nothing where its log cannot be read: the
/// agent is told less, and runs.
pub(super) async fn said(parts: &Parts, options: &Options, task: &Task, number: u32) -> Vec<String> {
    let Some(before) = followed(task, number) else { return Vec::new() };
    let attempt = &before.fence.attempt;
    let Ok(last) = parts.logs.watch(attempt).await.map(|l| *l.borrow()) else { return Vec::new() };
    let from = last.saturating_sub(LINES).max(1);
    let lines = parts.logs.read(attempt, from, usize::try_from(LINES).unwrap_or(usize::MAX) + 1).await;
    texts(&lines.unwrap_or_default(), options.adapters.get(&task.spec.adapter))
}

/// The last texts for people among `lines`, each on one line.
fn texts(lines: &[LogLine], adapter: Option<&Adapter>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines.iter().filter(|l| l.stream == Stream::Stdout) {
        let Some(text) = text(&line.text, adapter) else { continue };
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS).collect();
        let text = text.trim().to_owned();
        // A command is named when it starts and when it ends.
        if !text.is_empty() && found.last() != Some(&text) {
            found.push(text);
        }
    }
    found.split_off(found.len().saturating_sub(TEXTS))
}

fn text(line: &str, adapter: Option<&Adapter>) -> Option<String> {
    let adapter = adapter.filter(|a| a.events == EventFormat::JsonLines);
    let Some(adapter) = adapter else { return Some(line.to_owned()) };
    let event: Value = serde_json::from_str(line).ok()?;
    let mut pointers = adapter.pointers.text.iter();
    pointers.find_map(|p| event.pointer(p).and_then(Value::as_str).map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::Timestamp;

    fn line(n: u64, stream: Stream, text: &str) -> LogLine {
        LogLine { n, at: Timestamp(0), stream, text: text.to_owned() }
    }

    #[test]
    fn the_last_commands_and_words_are_told() {
        let adapter: Adapter = serde_json::from_str(
            r#"{"name":"codex","command":["codex"],"events":"json-lines","pointers":{"text":["/item/text","/item/command"]}}"#,
        )
        .unwrap();
        let mut lines: Vec<_> = (0..9)
            .flat_map(|n| {
                let text = format!(r#"{{"item":{{"command":"run {n}"}}}}"#);
                [line(n, Stream::Stdout, &text), line(n, Stream::Stdout, &text)]
            })
            .collect();
        lines.push(line(20, Stream::Stderr, "noise"));
        lines.push(line(21, Stream::Stdout, r#"{"type":"turn.completed"}"#));
        lines.push(line(22, Stream::Stdout, "{\"item\":{\"text\":\"It is\\ndone.\\u001b[1m\"}}"));
        let told = texts(&lines, Some(&adapter));
        assert_eq!(told.len(), TEXTS);
        assert_eq!((&*told[0], &*told[6], &*told[7]), ("run 2", "run 8", "It is done. [1m"));
    }

    #[test]
    fn plain_lines_are_told_as_they_are_and_cut() {
        let lines = [line(1, Stream::Stdout, &"é".repeat(CHARS + 9)), line(2, Stream::Stdout, " ")];
        assert_eq!(texts(&lines, None), ["é".repeat(CHARS)]);
    }
}
