//! Through a node: tasks whose agent prints a line.

use crate::FIRST;
use crate::up::{Up, free_address};
use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use futures::StreamExt as _;
use ikigai_ports::NodeHandle as _;
use ikigai_remote::RemoteNode;
use ikigai_types::AttemptId;
use ikigai_wire::api::{Event, Filter, SubmitRequest, SubmitSource, TaskOptions};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A node, and a checkout whose agent prints [`FIRST`] and ends a second later.
pub struct Node {
    up: Up,
    engine: Docker,
    project: PathBuf,
}

/// How long the parts of one start took, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// From the lease to the record that the container runs.
    pub started: f64,
    /// From there to the agent's first line at the client.
    pub first_line: f64,
}

impl Took {
    pub fn all(&self) -> f64 {
        self.started + self.first_line
    }
}

impl Node {
    pub fn start(folder: &Path, image: &str, engine: Docker) -> Self {
        let project = folder.join("project");
        checkout(&project);
        let config = format!(
            "[node]\nname = \"bench\"\n\n[http]\nlisten = \"{}\"\n\n[executor]\nbackend = \"docker\"\nimage = {image:?}\n\n\
             [forge]\nbackend = \"git\"\n\n[task]\nadapter = \"command\"\n",
            free_address()
        );
        Self { up: Up::start(folder, &config), engine, project }
    }

    fn handle(&self) -> RemoteNode {
        RemoteNode::unix(self.up.home().join("ikigai.sock"))
    }

    /// One attempt, from its lease to its first line; what it leaves is gone when this answers.
    pub async fn once(&self) -> Took {
        let (took, attempt) = self.first_line().await;
        self.ended(&attempt).await;
        took
    }

    /// One attempt; what the engine says of its container, and a copy of the folders it was shown, by target.
    pub async fn once_and_copy(&self, to: &Path) -> (ContainerInspectResponse, HashMap<String, PathBuf>) {
        let (_, attempt) = self.first_line().await;
        let id = self.containers().await.pop().unwrap();
        let found = self.engine.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
        let mut copies = HashMap::new();
        for mount in found.host_config.iter().flat_map(|host| host.mounts.iter().flatten()) {
            let copy = to.join(format!("copy-{}", copies.len()));
            let (source, target) = (mount.source.as_ref().unwrap(), mount.target.as_ref().unwrap());
            run(Command::new("cp").arg("-a").arg(source).arg(&copy));
            copies.insert(target.clone(), copy);
        }
        self.ended(&attempt).await;
        (found, copies)
    }

    async fn first_line(&self) -> (Took, AttemptId) {
        let cursor = self.handle().snapshot(Filter::default()).await.unwrap().cursor;
        let mut events = self.handle().events(Some(cursor)).await.unwrap();
        let request = SubmitRequest {
            project: self.project.display().to_string(),
            source: SubmitSource::Text { text: "Print a line.".to_owned(), story: None, parallel: false },
            options: TaskOptions { max_attempts: Some(1), ..TaskOptions::default() },
            ..SubmitRequest::default()
        };
        let task = self.handle().submit(request).await.unwrap().accepted.pop().unwrap();
        let mut until = async |what: &str| loop {
            let event: Event = events.next().await.unwrap().unwrap();
            if event.task == task && event.what == what {
                return event;
            }
            assert!(event.state != "failed", "{}", event.text);
        };
        let granted = until("granted").await;
        let attempt = AttemptId { task: task.clone(), number: granted.attempt.unwrap() };
        let mut lines = self.handle().logs(&attempt, 1, true).await.unwrap();
        while lines.next().await.unwrap().unwrap().text != FIRST {}
        let first = now_ms();
        let started = until("started").await.at.0 as f64;
        (Took { started: started - granted.at.0 as f64, first_line: first - started }, attempt)
    }

    /// Waits until nothing of the attempt is left on the machine.
    async fn ended(&self, attempt: &AttemptId) {
        let mut lines = self.handle().logs(attempt, 1, true).await.unwrap();
        while lines.next().await.is_some() {}
        let run = self.up.home().join("run");
        let rests = || std::fs::read_dir(&run).map_or(0, Iterator::count);
        // Neither the engine nor the folder tells when it is done.
        while rests() > 0 || !self.containers().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The containers of this node.
    async fn containers(&self) -> Vec<String> {
        let node = self.handle().snapshot(Filter::default()).await.unwrap().node;
        let filter = HashMap::from([("label", vec![format!("dev.ikigai.node={node}")])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
        let found = self.engine.list_containers(Some(options)).await.unwrap();
        found.into_iter().filter_map(|container| container.id).collect()
    }
}

fn checkout(project: &Path) {
    let agent = project.join(".ikigai/agent");
    std::fs::create_dir_all(agent.parent().unwrap()).unwrap();
    std::fs::write(&agent, format!("#!/bin/sh\necho '{FIRST}'\nsleep 1\n")).unwrap();
    run(Command::new("chmod").arg("755").arg(&agent));
    for args in [
        &["init", "-qb", "main"][..],
        &["config", "user.name", "Bench"],
        &["config", "user.email", "bench@ikigai.invalid"],
        &["add", "-A"],
        &["commit", "-qm", "agent"],
    ] {
        run(Command::new("git").args(args).current_dir(project));
    }
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1e3
}
