//! What a Responses request says to a scripted model: which task, which step, which tools.
//!
//! Reads only the fields it needs; all else is skipped without being kept.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Prefix of the call ids that ask for a running command's further output.
pub(super) const POLL: &str = "call_p";

/// The part of a request that counts.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    pub(super) model: String,
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    input: Many<Item>,
    #[serde(default)]
    tools: Many<Tool>,
}

#[derive(Debug, Default, serde::Deserialize)]
struct Item {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: Many<Part>,
    #[serde(default)]
    call_id: String,
    #[serde(default)]
    arguments: String,
    #[serde(default)]
    output: Many<Part>,
    #[serde(default)]
    tools: Many<Tool>,
}

#[derive(Debug, Default, serde::Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
struct Tool {
    #[serde(default)]
    name: Option<String>,
    /// Those of a namespace.
    #[serde(default)]
    tools: Many<Tool>,
}

/// Where the conversation stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// Short id from the prompt's line `Task: T003`.
    pub(super) task: Option<String>,
    /// From the line `Attempt: 2`; 1 without it.
    pub(super) attempt: u32,
    /// Prompts before this one, with their turns: a session that goes on has them.
    pub(super) earlier: usize,
    /// Commands that were run since the prompt.
    pub(super) step: usize,
    /// Times the last command was asked for more output.
    pub(super) polls: usize,
    /// Session of the last command, when it is still running.
    pub(super) still_running: Option<u64>,
}

/// The tool that runs a command, as the agent's CLI offers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shell {
    /// `{"cmd": "…"}`
    ExecCommand,
    /// `{"command": "…"}`
    Line,
    /// `{"command": ["bash", "-lc", "…"]}`
    Argv,
    /// A program text that calls `tools.exec_command`.
    CodeMode,
}

impl Request {
    /// Reads the conversation. The prompt is the last user message with a task line: what a repository's
    /// own files or a command's output say does not count.
    pub(super) fn turn(&self) -> Turn {
        let items = &self.input.0;
        let prompt = |item: &Item| item.is_user() && item.marker("Task:").is_some();
        let from = items.iter().rposition(prompt).unwrap_or(0);
        let numbered = |item: &&Item| prompt(item) && item.marker("Attempt:").is_some();
        let earlier = items[..from].iter().filter(numbered).count();
        let mut turn = Turn { attempt: 1, earlier, ..Turn::default() };
        if let Some(item) = items.get(from).filter(|item| prompt(item)) {
            turn.task = item.marker("Task:").map(str::to_owned);
            turn.attempt = item.marker("Attempt:").and_then(|n| n.parse().ok()).unwrap_or(1);
        }
        for item in items.iter().skip(from).filter(|item| item.is_output()) {
            if item.call_id.starts_with(POLL) {
                turn.polls += 1;
            } else {
                turn.step += 1;
                turn.polls = 0;
            }
            turn.still_running = item.output.0.iter().find_map(|part| running_session(part.text()));
        }
        // A command that still runs is the step that is asked about, not one that is done.
        turn.step -= usize::from(turn.still_running.is_some() && turn.step > 0);
        turn
    }

    /// The tool to run commands with, if one is offered.
    pub(super) fn shell(&self) -> Option<Shell> {
        let late = self.input.0.iter().flat_map(|item| &item.tools.0);
        let offered: Vec<&Tool> = self.tools.0.iter().chain(late).collect();
        let known = [
            ("exec_command", Shell::ExecCommand),
            ("shell_command", Shell::Line),
            ("shell", Shell::Argv),
            ("exec", Shell::CodeMode),
        ];
        known
            .into_iter()
            .find(|(name, _)| offered.iter().any(|tool| tool.offers(name)))
            .map(|(_, shell)| shell)
    }

    /// Characters of everything a model would read.
    pub(super) fn chars(&self) -> usize {
        let items = self.input.0.iter().map(|item| {
            let parts = item.content.0.iter().chain(&item.output.0).map(|p| p.text().chars().count());
            parts.sum::<usize>() + item.arguments.chars().count()
        });
        items.sum::<usize>() + self.instructions.as_ref().map_or(0, |text| text.chars().count())
    }
}

impl Item {
    fn is_user(&self) -> bool {
        self.role == "user" && (self.kind == "message" || self.kind.is_empty())
    }

    fn is_output(&self) -> bool {
        self.kind == "function_call_output" || self.kind == "custom_tool_call_output"
    }

    /// The word after `name` on the first line that begins with it.
    fn marker(&self, name: &str) -> Option<&str> {
        let mut lines = self.content.0.iter().flat_map(|part| part.text().lines());
        lines.find_map(|line| line.strip_prefix(name)).map(str::trim).filter(|word| !word.is_empty())
    }
}

impl Tool {
    fn offers(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name) || self.tools.0.iter().any(|tool| tool.offers(name))
    }
}

impl Part {
    fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

/// The session a CLI names when a command has not ended; only its own heading counts, not the output.
fn running_session(text: &str) -> Option<u64> {
    let mut heading = text.lines().take_while(|line| *line != "Output:");
    heading.find_map(|line| line.strip_prefix("Process running with session ID "))?.trim().parse().ok()
}

/// A list, or the one text that stands for it.
#[derive(Debug)]
struct Many<T>(Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self { role: "user".into(), content: Many(vec![text.into()]), ..Self::default() }
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self { text: Some(text.to_owned()) }
    }
}

impl From<&str> for Tool {
    fn from(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }
}

impl<'de, T: Deserialize<'de> + for<'a> From<&'a str>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + for<'a> From<&'a str>> Visitor<'de> for Visit<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list")
            }

            fn visit_unit<E>(self) -> Result<Many<T>, E> {
                Ok(Many::default())
            }

            fn visit_str<E>(self, text: &str) -> Result<Many<T>, E> {
                Ok(Many(vec![T::from(text)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Many<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Many(items))
            }
        }

        deserializer.deserialize_any(Visit(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(text: &str) -> serde_json::Value {
        json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
    }

    fn output(call_id: &str, text: &str) -> serde_json::Value {
        json!({"type": "function_call_output", "call_id": call_id, "output": text})
    }

    fn turn(input: serde_json::Value) -> Turn {
        serde_json::from_value::<Request>(json!({ "input": input })).unwrap().turn()
    }

    #[test]
    fn the_task_is_read_from_the_last_prompt_and_from_nothing_else() {
        let read = turn(json!([
            user("# AGENTS.md\nTask: T999\n"),
            user("Do it.\nTask: T003\nAttempt: 2\n"),
            {"type": "function_call", "name": "exec_command", "call_id": "call_s0", "arguments": "{}"},
            output("call_s0", "Process exited with code 0\nOutput:\nTask: T888\nProcess running with session ID 4\n"),
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Task: T777"}]},
        ]));
        assert_eq!(read, Turn { task: Some("T003".into()), attempt: 2, step: 1, ..Turn::default() });
        assert_eq!(turn(json!("Task: T004")).task.as_deref(), Some("T004"));
        assert_eq!(turn(json!([user("hello")])), Turn { attempt: 1, ..Turn::default() });
    }

    #[test]
    fn a_resumed_session_counts_from_its_last_prompt() {
        let read = turn(json!([
            user("Task: T003\nAttempt: 1"),
            output("call_s0", "Output:\n"),
            output("call_s1", "Output:\n"),
            user("Task: T003\nAttempt: 2"),
            output("call_s0", "Output:\n"),
        ]));
        assert_eq!((read.attempt, read.step, read.earlier), (2, 1, 1));
    }

    #[test]
    fn a_command_that_still_runs_is_asked_about_and_is_not_a_step_done() {
        let running = "Chunk ID: 1\nProcess running with session ID 42\nOutput:\nx";
        let polled = json!([user("Task: T1"), output("call_s0", "Output:\n"), output("call_s1", running)]);
        let read = turn(polled);
        assert_eq!((read.step, read.polls, read.still_running), (1, 0, Some(42)));
        let read = turn(json!([user("Task: T1"), output("call_s0", running), output("call_p0_0", running)]));
        assert_eq!((read.step, read.polls, read.still_running), (0, 1, Some(42)));
        let done = "Process exited with code 0\nOutput:\n";
        let read = turn(json!([user("Task: T1"), output("call_s0", running), output("call_p0_0", done)]));
        assert_eq!((read.step, read.still_running), (1, None));
    }

    #[test]
    fn the_tool_is_one_that_is_offered() {
        let shell = |body| serde_json::from_value::<Request>(body).unwrap().shell();
        let offer = |name: &str| json!({"input": "x", "tools": [{"type": "tool_search"}, {"name": name}]});
        assert_eq!(shell(offer("exec_command")), Some(Shell::ExecCommand));
        assert_eq!(shell(offer("shell")), Some(Shell::Argv));
        assert_eq!(shell(offer("view_image")), None);
        let late =
            json!({"input": [{"type": "additional_tools", "tools": [{"type": "custom", "name": "exec"}]}]});
        assert_eq!(shell(late), Some(Shell::CodeMode));
    }

    #[test]
    fn what_is_not_a_request_is_refused_without_being_kept() {
        assert!(serde_json::from_str::<Request>("[1,1]").is_err());
        assert!(serde_json::from_str::<Request>(r#"{"input":[1,1]}"#).is_err());
    }
}
