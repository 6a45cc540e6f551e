//! The scripted provider as a CLI meets it: whole conversations, streamed and not.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use futures::TryStreamExt;
use ikigai_models::ScriptedModel;
use ikigai_ports::Model;
use ikigai_ports::model::{ModelAnswer, ModelCall};
use ikigai_types::{AttemptId, TaskId};
use serde_json::{Value, json};

const SCRIPT: &str = r#"
[[task]]
id = "T003"
say = "Parser written."
[[task.step]]
run = "echo one"
[[task.step]]
run = "git commit -qm 'T003'"

[[task]]
id = "T004"
attempt = 1
fail = { status = 429, retry_after = 2, step = 1 }
[[task.step]]
run = "false"
"#;

async fn call(model: &ScriptedModel, number: u32, body: Value) -> ModelAnswer {
    let attempt = AttemptId { task: TaskId::new("p.f.T003").unwrap(), number };
    let body = Bytes::from(body.to_string());
    model.call(ModelCall { attempt, path: "/responses".into(), body }).await.unwrap()
}

async fn text(answer: ModelAnswer) -> String {
    let chunks: Vec<Bytes> = answer.body.try_collect().await.unwrap();
    String::from_utf8(chunks.concat()).unwrap()
}

fn prompt(text: &str, steps: usize) -> Value {
    let mut input =
        vec![json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})];
    for step in 0..steps {
        let output = "Process exited with code 0\nOutput:\n";
        input.push(
            json!({"type": "function_call_output", "call_id": format!("call_s{step}"), "output": output}),
        );
    }
    json!({"model": "gpt-5.5", "stream": false, "input": input, "tools": [{"type": "function", "name": "exec_command"}]})
}

async fn answered(model: &ScriptedModel, number: u32, body: Value) -> Value {
    serde_json::from_str(&text(call(model, number, body).await).await).unwrap()
}

#[tokio::test]
async fn a_task_is_played_step_by_step_and_by_a_fresh_instance_too() {
    let mut runs = Vec::new();
    for step in 0..3 {
        // A new instance for each call: nothing is remembered, as after a restart.
        let model = ScriptedModel::load(SCRIPT).unwrap();
        let answer = answered(&model, 1, prompt("Task: T003\nAttempt: 1\n", step)).await;
        let item = &answer["output"][0];
        runs.push(match item["type"].as_str().unwrap() {
            "function_call" => {
                assert_eq!(item["name"], "exec_command");
                let arguments: Value = serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
                arguments["cmd"].as_str().unwrap().to_owned()
            }
            _ => item["content"][0]["text"].as_str().unwrap().to_owned(),
        });
    }
    assert_eq!(runs, ["echo one", "git commit -qm 'T003'", "Parser written."]);
}

#[tokio::test]
async fn a_stream_has_the_events_a_cli_waits_for() {
    let model = ScriptedModel::load(SCRIPT).unwrap();
    let mut body = prompt("Task: T003", 0);
    body["stream"] = true.into();
    let answer = call(&model, 1, body).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "text/event-stream"));
    let text = text(answer).await;
    let events: Vec<(&str, Value)> = text
        .split_terminator("\n\n")
        .map(|event| {
            let (kind, data) = event.split_once('\n').unwrap();
            (
                kind.strip_prefix("event: ").unwrap(),
                serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap(),
            )
        })
        .collect();
    let kinds: Vec<&str> = events.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["response.created", "response.output_item.done", "response.completed"]);
    assert!(events.iter().all(|(kind, data)| data["type"] == *kind));
    // "Task: T003" has 10 characters, "echo one" has 8.
    let usage = &events[2].1["response"]["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(3), &json!(2)));
}

#[tokio::test]
async fn an_injected_failure_comes_once_for_each_attempt() {
    let model = ScriptedModel::load(SCRIPT).unwrap();
    let ask = || prompt("Task: T004\nAttempt: 1", 1);
    let first = call(&model, 1, ask()).await;
    assert_eq!((first.status, first.retry_after), (429, Some(2)));
    assert_eq!(call(&model, 1, ask()).await.status, 200);
    assert_eq!(call(&model, 2, ask()).await.status, 429);
    assert_eq!(call(&model, 3, prompt("Task: T004\nAttempt: 1", 0)).await.status, 200, "not this step");
}

#[tokio::test]
async fn what_the_script_does_not_know_is_said_and_nothing_is_run() {
    let model = ScriptedModel::load(SCRIPT).unwrap();
    for (ask, said) in [
        (prompt("Task: T009\nAttempt: 2", 0), "no entry for task T009, attempt 2"),
        (prompt("Task: T004\nAttempt: 2", 0), "no entry for task T004, attempt 2"),
        (prompt("Fix the bug", 0), "no line `Task: T…`"),
        (json!({"input": "Task: T003"}), "no tool that runs a command"),
    ] {
        let answer = answered(&model, 1, ask).await;
        let item = &answer["output"][0];
        assert_eq!(item["type"], "message");
        assert!(item["content"][0]["text"].as_str().unwrap().contains(said), "{item}");
    }
    assert_eq!(call(&model, 1, json!([1, 2])).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_delay_comes_before_the_step_and_after_the_first_event() {
    let slow = format!("delay_ms = 5000\n{SCRIPT}");
    let model = ScriptedModel::load(&slow).unwrap();
    let mut body = prompt("Task: T003", 0);
    body["stream"] = true.into();
    let mut stream = call(&model, 1, body).await.body;
    let start = tokio::time::Instant::now();
    assert!(stream.try_next().await.unwrap().unwrap().starts_with(b"event: response.created"));
    assert_eq!(start.elapsed().as_millis(), 0);
    assert!(stream.try_next().await.unwrap().unwrap().starts_with(b"event: response.output_item.done"));
    assert!(start.elapsed().as_millis() >= 5000);
}

#[tokio::test]
async fn the_example_is_a_script() {
    let model = ScriptedModel::load(include_str!("../examples/script.toml")).unwrap();
    let first = call(&model, 1, prompt("Task: T003\nAttempt: 1", 1)).await;
    assert_eq!((first.status, first.retry_after), (429, Some(2)));
}
