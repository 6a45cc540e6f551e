//! The engine's API alone: the same container, made, started and read by as few calls as it takes.

use crate::FIRST;
use bollard::Docker;
use bollard::models::{ContainerCreateBody, ContainerInspectResponse};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, RemoveContainerOptionsBuilder,
    StartContainerOptions, WaitContainerOptions,
};
use futures::StreamExt as _;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

/// How to make the container.
pub struct Raw {
    engine: Docker,
    body: ContainerCreateBody,
}

impl Raw {
    /// What makes a container like `model`, with copies of its folders by target.
    pub fn new(engine: Docker, model: ContainerInspectResponse, copies: &HashMap<String, PathBuf>) -> Self {
        let config = serde_json::to_value(model.config.unwrap()).unwrap();
        let mut body: ContainerCreateBody = serde_json::from_value(config).unwrap();
        // Not a node's: none takes it for its own.
        body.labels = None;
        let mut host = model.host_config.unwrap();
        for mount in host.mounts.iter_mut().flatten() {
            let copy = &copies[mount.target.as_ref().unwrap()];
            mount.source = Some(copy.display().to_string());
        }
        body.host_config = Some(host);
        Self { engine, body }
    }

    /// From the first call to the agent's first line, in milliseconds; the container is gone after it.
    pub async fn once(&self) -> f64 {
        let begin = Instant::now();
        let made = self.engine.create_container(None::<CreateContainerOptions>, self.body.clone()).await;
        let id = made.unwrap().id;
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).build();
        let mut output = self.engine.attach_container(&id, Some(options)).await.unwrap().output;
        self.engine.start_container(&id, None::<StartContainerOptions>).await.unwrap();
        let mut text = String::new();
        while !text.contains(FIRST) {
            let piece = output.next().await;
            text.push_str(&piece.unwrap_or_else(|| panic!("no first line: {text}")).unwrap().to_string());
        }
        let took = begin.elapsed().as_secs_f64() * 1e3;
        // How it ended is nothing to this measurement: an exit code above zero is an error to the client.
        let _ = self.engine.wait_container(&id, None::<WaitContainerOptions>).next().await;
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        self.engine.remove_container(&id, Some(options)).await.unwrap();
        took
    }
}
