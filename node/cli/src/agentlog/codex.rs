//! Records of the Codex CLI (`codex exec --json`), one JSON object a line.

use serde::Deserialize;
use serde_json::Value;

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// Something to read.
    Text(String),
    /// A command began.
    Began { item: String, command: String },
    /// A command ended.
    Ended { item: String, command: String, output: String, code: Option<i64> },
    /// Something went wrong.
    Error(String),
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Record {
    #[serde(rename = "thread.started")]
    Thread { thread_id: String },
    #[serde(rename = "turn.started")]
    Turn {},
    #[serde(rename = "turn.completed")]
    Done { usage: Usage },
    #[serde(rename = "turn.failed")]
    Failed { error: Message },
    #[serde(rename = "item.started")]
    Started { item: Item },
    #[serde(rename = "item.updated")]
    Updated { item: Item },
    #[serde(rename = "item.completed")]
    Completed { item: Item },
    #[serde(rename = "error")]
    Error { message: String },
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: u64,
    #[serde(default)]
    cached_input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    reasoning_output_tokens: u64,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum What {
    AgentMessage { text: String },
    Reasoning { text: String },
    CommandExecution { command: String, aggregated_output: String, exit_code: Option<i64> },
    FileChange { changes: Vec<Change>, status: String },
    McpToolCall { server: String, tool: String, status: String },
    WebSearch { query: String },
    TodoList { items: Vec<Todo> },
    Error { message: String },
}

#[derive(Deserialize)]
struct Change {
    path: String,
    kind: String,
}

#[derive(Deserialize)]
struct Todo {
    text: String,
    completed: bool,
}

/// Whether `line` is one JSON object.
pub(super) fn is_record(line: &str) -> bool {
    matches!(serde_json::from_str(line), Ok(Value::Object(_)))
}

/// What the record in `line` says, which may be nothing; `None` when it is no record that is known.
pub(super) fn read(line: &str) -> Option<Vec<Told>> {
    if !line.starts_with('{') {
        return None;
    }
    let text = |text: String| vec![Told::Text(text)];
    Some(match serde_json::from_str(line).ok()? {
        Record::Thread { thread_id } => text(format!("session {thread_id}")),
        Record::Turn {} => Vec::new(),
        Record::Done { usage } => text(tokens(&usage)),
        Record::Failed { error } => vec![Told::Error(error.message)],
        Record::Error { message } => vec![Told::Error(message)],
        Record::Started { item } => started(item),
        Record::Updated { item: Item { what: What::TodoList { items }, .. } } => todo(&items),
        Record::Updated { .. } => Vec::new(),
        Record::Completed { item } => completed(item),
    })
}

fn started(item: Item) -> Vec<Told> {
    match item.what {
        What::CommandExecution { command, .. } => vec![Told::Began { item: item.id, command }],
        What::TodoList { items } => todo(&items),
        _ => Vec::new(),
    }
}

fn completed(item: Item) -> Vec<Told> {
    let one = match item.what {
        What::AgentMessage { text } => Told::Text(text),
        What::Reasoning { text } => Told::Text(format!("(thinks) {text}")),
        What::CommandExecution { command, aggregated_output, exit_code } => {
            Told::Ended { item: item.id, command, output: aggregated_output, code: exit_code }
        }
        What::FileChange { changes, status } => return changes.iter().map(|c| change(c, &status)).collect(),
        What::McpToolCall { server, tool, status } => Told::Text(format!("tool {server}.{tool}: {status}")),
        What::WebSearch { query } => Told::Text(format!("search {query}")),
        What::TodoList { .. } => return Vec::new(),
        What::Error { message } => Told::Error(message),
    };
    vec![one]
}

/// `add two.txt`; of a path only what is below the workspace.
fn change(change: &Change, status: &str) -> Told {
    let path = change.path.strip_prefix("/workspace/").unwrap_or(&change.path);
    let failed = if status == "completed" { String::new() } else { format!(" [{status}]") };
    Told::Text(format!("{} {path}{failed}", change.kind))
}

fn todo(items: &[Todo]) -> Vec<Told> {
    let line = |t: &Todo| Told::Text(format!("[{}] {}", if t.completed { 'x' } else { ' ' }, t.text));
    items.iter().map(line).collect()
}

fn tokens(usage: &Usage) -> String {
    let part = |n: u64, what: &str| if n == 0 { String::new() } else { format!(" ({n} {what})") };
    format!(
        "tokens so far: {} in{}, {} out{}",
        usage.input_tokens,
        part(usage.cached_input_tokens, "cached"),
        usage.output_tokens,
        part(usage.reasoning_output_tokens, "reasoning")
    )
}
