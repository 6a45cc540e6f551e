//! The Responses API's answers, as events or as one JSON object.

use super::request::{POLL, Request, Shell};
use bytes::Bytes;
use futures::{StreamExt, stream};
use ikigai_ports::PortResult;
use ikigai_ports::model::ModelAnswer;
use serde_json::{Value, json};
use std::time::Duration;

/// Characters that count as one token.
const CHARS_PER_TOKEN: usize = 4;

/// What the scripted model says next.
pub(super) struct Reply {
    id: String,
    item: Value,
    chars: usize,
    delay: Duration,
}

impl Reply {
    /// The final message.
    pub(super) fn message(step: usize, text: impl Into<String>) -> Self {
        let text = text.into();
        let chars = text.chars().count();
        let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
        let item = json!({"type": "message", "id": format!("msg_{step}"), "role": "assistant",
            "status": "completed", "content": content});
        Self { id: format!("resp_{step}"), item, chars, delay: Duration::ZERO }
    }

    /// One command through the tool that is offered.
    pub(super) fn run(step: usize, shell: Shell, command: &str, yield_ms: u64) -> Self {
        let (name, arguments) = match shell {
            Shell::ExecCommand => ("exec_command", json!({"cmd": command, "yield_time_ms": yield_ms})),
            Shell::Line => ("shell_command", json!({"command": command})),
            Shell::Argv => ("shell", json!({"command": ["bash", "-lc", command]})),
            Shell::CodeMode => return Self::code(step, command, yield_ms),
        };
        let item = json!({"type": "function_call", "id": format!("fc_{step}"), "call_id": format!("call_s{step}"),
            "name": name, "arguments": arguments.to_string()});
        Self { id: format!("resp_{step}"), item, chars: command.chars().count(), delay: Duration::ZERO }
    }

    /// Asks for the further output of a command that still runs.
    pub(super) fn poll(step: usize, polls: usize, session: u64, yield_ms: u64) -> Self {
        let arguments = json!({"session_id": session, "chars": "", "yield_time_ms": yield_ms});
        let name = format!("{step}_{polls}");
        let item = json!({"type": "function_call", "id": format!("fc_{name}"), "call_id": format!("{POLL}{name}"),
            "name": "write_stdin", "arguments": arguments.to_string()});
        Self { id: format!("resp_{name}"), item, chars: 0, delay: Duration::ZERO }
    }

    /// This reply, `delay` later.
    pub(super) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn code(step: usize, command: &str, yield_ms: u64) -> Self {
        let arguments = json!({"cmd": command, "yield_time_ms": yield_ms});
        let program = format!("const r = await tools.exec_command({arguments}); text(JSON.stringify(r));");
        let item = json!({"type": "custom_tool_call", "id": format!("ct_{step}"),
            "call_id": format!("call_s{step}"), "name": "exec", "input": program});
        Self { id: format!("resp_{step}"), item, chars: command.chars().count(), delay: Duration::ZERO }
    }

    /// The answer to `request`, as events when it asked for a stream.
    pub(super) fn answer(self, request: &Request) -> ModelAnswer {
        let response = |status: &str, output: Value| json!({"id": self.id, "object": "response", "status": status, "model": request.model, "output": output});
        let mut completed = response("completed", json!([self.item]));
        completed["usage"] = usage(request.chars(), self.chars);
        let delay = self.delay;
        if !request.stream {
            let body = stream::once(async move {
                tokio::time::sleep(delay).await;
                Ok(Bytes::from(completed.to_string()))
            });
            return answer(200, None, "application/json", body);
        }
        let created = json!({"type": "response.created", "response": response("in_progress", json!([]))});
        let item = json!({"type": "response.output_item.done", "output_index": 0, "item": self.item});
        let end = json!({"type": "response.completed", "response": completed});
        let later = stream::once(async move {
            tokio::time::sleep(delay).await;
            stream::iter([Ok(event(&item)), Ok(event(&end))])
        });
        answer(200, None, "text/event-stream", stream::iter([Ok(event(&created))]).chain(later.flatten()))
    }
}

/// An answer that says no, in the shape agents' CLIs read.
pub(super) fn refuse(status: u16, retry_after: Option<u64>, code: &str, message: &str) -> ModelAnswer {
    let body = json!({"error": {"type": code, "code": code, "message": message}});
    answer(status, retry_after, "application/json", stream::iter([Ok(Bytes::from(body.to_string()))]))
}

fn answer(
    status: u16,
    retry_after: Option<u64>,
    content_type: &str,
    body: impl futures::Stream<Item = PortResult<Bytes>> + Send + 'static,
) -> ModelAnswer {
    ModelAnswer { status, content_type: content_type.into(), retry_after, body: body.boxed() }
}

fn event(value: &Value) -> Bytes {
    let kind = value["type"].as_str().unwrap_or_default();
    Bytes::from(format!("event: {kind}\ndata: {value}\n\n"))
}

fn usage(read: usize, written: usize) -> Value {
    let input = read.div_ceil(CHARS_PER_TOKEN);
    let output = written.div_ceil(CHARS_PER_TOKEN).max(1);
    json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + output,
    })
}
