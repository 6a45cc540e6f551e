//! A CLI as codex is, played by the test: asks, runs what it is told in a shell, asks again.

use crate::support::{AGENT, Rig, fence, gateway, text};
use ikigai_gateway::GateLimits;
use ikigai_models::ScriptedModel;
use ikigai_ports::gate::{GatePolicy, Gates};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::sync::mpsc;

const SCRIPT: &str = r#"
[[task]]
id = "T003"
attempt = 1
say = "Parser written."
[[task.step]]
run = "echo 'one' > out.txt"
[[task.step]]
run = "echo 'two' >> out.txt; false"

[[task]]
id = "T003"
attempt = 2
say = "Mended."
[[task.step]]
run = "sed -i 's/two/three/' out.txt"
"#;

fn model() -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::load(SCRIPT).unwrap())
}

fn user(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
}

/// The item of the stream's one `response.output_item.done`.
fn item(stream: &str) -> Value {
    let events = stream.split("\n\n").filter_map(|event| event.split_once("\ndata: "));
    let mut items = events.filter(|(kind, _)| *kind == "event: response.output_item.done");
    serde_json::from_str::<Value>(items.next().unwrap().1).unwrap()["item"].clone()
}

/// One request; runs the command, if there is one, and adds both to the conversation. The text of a message ends it.
async fn step(rig: &Rig, input: &mut Vec<Value>, workspace: &Path) -> Option<String> {
    let tools =
        json!([{"type": "function", "name": "exec_command"}, {"type": "function", "name": "write_stdin"}]);
    let ask = json!({"model": "gpt-5.5", "stream": true, "input": input, "tools": tools, "store": false});
    let item = item(&text(rig.call(&ask).await).await);
    input.push(item.clone());
    if item["type"] == "message" {
        return Some(item["content"][0]["text"].as_str().unwrap().to_owned());
    }
    let arguments: Value = serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
    let ran =
        Command::new("bash").args(["-c", arguments["cmd"].as_str().unwrap()]).current_dir(workspace).output();
    let code = ran.unwrap().status.code().unwrap();
    let output = format!("Chunk ID: 1\nProcess exited with code {code}\nOutput:\n");
    input.push(json!({"type": "function_call_output", "call_id": item["call_id"], "output": output}));
    None
}

async fn turn(rig: &Rig, input: &mut Vec<Value>, workspace: &Path) -> String {
    loop {
        if let Some(said) = step(rig, input, workspace).await {
            return said;
        }
    }
}

#[tokio::test]
async fn two_turns_are_played_across_a_restart_of_the_node() {
    let workspace = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(model()).await;
    let mut input =
        vec![user("# AGENTS.md\nTask: T999"), user("Write the parser.\n\nTask: T003\nAttempt: 1\n")];
    assert_eq!(step(&rig, &mut input, workspace.path()).await, None);
    let spent = rig.gateway.close(&rig.fence).await.unwrap();
    assert_eq!(spent.calls, 1);

    rig.gateway = gateway(model(), GateLimits::default());
    let (events, receiver) = mpsc::channel(64);
    let policy = GatePolicy { provider: "fake".into(), egress: Default::default(), events, spent };
    rig.gateway.open(&fence(1), AGENT, rig.folder.path(), policy).await.unwrap();
    rig.events = receiver;
    assert_eq!(turn(&rig, &mut input, workspace.path()).await, "Parser written.");
    let out = || std::fs::read_to_string(workspace.path().join("out.txt")).unwrap();
    assert_eq!(out(), "one\ntwo\n");

    input.push(user("The check failed.\n\nTask: T003\nAttempt: 2\n"));
    assert_eq!(turn(&rig, &mut input, workspace.path()).await, "Mended.");
    assert_eq!(out(), "one\nthree\n");
    let total = rig.gateway.close(&rig.fence).await.unwrap();
    assert_eq!(total.calls, 5);
    assert!(total.input_tokens > spent.input_tokens && total.output_tokens > spent.output_tokens);
}
