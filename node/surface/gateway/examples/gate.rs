//! Opens one gate in a folder and prints what it tells, so that any CLI can be tried behind it.
//!
//! `cargo run -p ikigai-gateway --example gate -- FOLDER SCRIPT.toml`, or a base URL in place of the script. A second
//! line on standard input ends it; `editor` there asks agentd for a stream and shows what comes.
#![allow(clippy::unwrap_used)]

use ikigai_gateway::{GateLimits, Gateway, GatewayOptions};
use ikigai_models::{HttpModel, HttpModelOptions, Price, ScriptedModel};
use ikigai_ports::Model;
use ikigai_ports::gate::{GateOrder, GatePolicy, Gates};
use ikigai_types::{AttemptId, Egress, Epoch, Fence, TaskId, Usage};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, stdin};
use tokio::sync::mpsc;

fn model(source: &str) -> Arc<dyn Model> {
    if source.contains("://") {
        return Arc::new(HttpModel::new(HttpModelOptions::new("http", source)).unwrap());
    }
    Arc::new(ScriptedModel::load(&std::fs::read_to_string(source).unwrap()).unwrap())
}

#[tokio::main]
async fn main() {
    let [folder, source]: [String; 2] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("usage: gate FOLDER SCRIPT|URL");
    let free = Price { input: 0, cached: None, output: 0 };
    let gateway = Gateway::new(GatewayOptions {
        models: [("tried".to_owned(), model(&source))].into(),
        prices: [("scripted/*", free)].into_iter().collect(),
        egress: Egress::default(),
        limits: GateLimits::default(),
    });
    let fence =
        Fence { attempt: AttemptId { task: TaskId::new("try").unwrap(), number: 1 }, epoch: Epoch(1) };
    let (events, mut told) = mpsc::channel(16);
    let policy =
        GatePolicy { provider: "tried".into(), egress: Egress::default(), events, spent: Usage::default() };
    gateway.open(&fence, "try", Path::new(&folder), policy).await.unwrap();
    println!("listening at {folder}/gateway.sock");
    let mut lines = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            event = told.recv() => println!("{:?}", event.unwrap().1),
            line = lines.next_line() => match line.unwrap().as_deref() {
                Some("editor") => editor(&gateway).await,
                Some("finish") => println!("{:?}", gateway.tell(&fence, GateOrder::Finish).await),
                _ => break,
            },
        }
    }
    println!("{:?}", gateway.close(&fence).await);
}

async fn editor(gateway: &Gateway) {
    match gateway.dial_editor("try").await {
        Err(e) => println!("{}", e.chain()),
        Ok(mut stream) => {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            println!("{}", String::from_utf8_lossy(&answer));
        }
    }
}
