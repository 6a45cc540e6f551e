//! The node's own image, started as the README says: socket, volume, project, and the command line inside it.

use crate::{parts, project};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The image, when there is one and an engine for it.
fn node_image(test: &str) -> Option<String> {
    parts::docker_image(test)?;
    let named = std::env::var("IKIGAI_NODE_IMAGE").ok().filter(|i| !i.is_empty());
    let image = named.unwrap_or_else(|| "ikigai-node".to_owned());
    let found =
        Command::new("docker").args(["image", "inspect", &image]).output().is_ok_and(|o| o.status.success());
    if !found {
        parts::missing(test, "the image ikigai-node is not built; make node-image", "IKIGAI_REQUIRE_DOCKER");
    }
    found.then_some(image)
}

/// Runs docker, and answers whether it went well and what it printed.
fn docker(args: &[&str]) -> (bool, String) {
    let output = Command::new("docker").args(args).output().unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].map(String::from_utf8_lossy).concat();
    (output.status.success(), text)
}

/// A node's container and volume, removed at the end with the agents it started.
struct Container {
    name: String,
    id: Option<String>,
}

impl Container {
    /// A node by itself, as `docker run` starts it, with more of what docker is told.
    fn alone(image: &str, name: &str, more: &[&str]) -> Self {
        let name = format!("ikigai-e2e-{name}-{}", std::process::id());
        let node = Self { name: name.clone(), id: None };
        let (socket, volume) =
            ("/var/run/docker.sock:/var/run/docker.sock", format!("{name}:/var/lib/ikigai"));
        let run = ["run", "-d", "--name", &name, "-v", socket, "-v", &volume];
        let (ok, text) = docker(&[&run, more, &[image]].concat());
        assert!(ok, "{text}");
        node
    }

    /// A node with a project, a configuration and a model's script in `folder`.
    fn start(image: &str, folder: &Path) -> Self {
        let mount = |host: &str, inside: &str| format!("{}:{inside}", folder.join(host).display());
        let project = mount("project", "/project");
        let config = mount("ikigai.toml", "/etc/ikigai/ikigai.toml:ro");
        let script = mount("model.toml", "/etc/ikigai/model.toml:ro");
        Self::alone(image, "task", &["-w", "/project", "-v", &project, "-v", &config, "-v", &script])
    }

    /// `docker exec … ikigai …`
    fn ikigai(&self, args: &[&str]) -> (bool, String) {
        docker(&[&["exec", &self.name, "ikigai"], args].concat())
    }

    /// Waits until it answers; its id.
    fn ready(&self) -> String {
        self.until("answer of the node", 90, || {
            let nodes = self.items(&["node", "ls"])?;
            let id = nodes.first().and_then(|n| n["id"].as_str());
            id.map(str::to_owned).ok_or_else(|| format!("{nodes:?}"))
        })
    }

    /// What a list has.
    fn items(&self, args: &[&str]) -> Result<Vec<serde_json::Value>, String> {
        let (ok, text) = self.ikigai(&[args, &["--json"]].concat());
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
        json["items"].as_array().filter(|_| ok).cloned().ok_or(text)
    }

    fn log(&self) -> String {
        docker(&["logs", &self.name]).1
    }

    /// Asks until `wanted`: there is no event to await over `docker exec`.
    fn until<T>(&self, what: &str, limit: u64, wanted: impl Fn() -> Result<T, String>) -> T {
        let end = Instant::now() + Duration::from_secs(limit);
        loop {
            match wanted() {
                Ok(found) => return found,
                Err(text) => assert!(Instant::now() < end, "no {what}: {text}\n{}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// The containers of the agents this node started.
    fn agents(&self) -> Vec<String> {
        let Some(id) = &self.id else { return Vec::new() };
        let filter = format!("label=dev.ikigai.node={id}");
        docker(&["ps", "-aq", "--filter", &filter]).1.lines().map(str::to_owned).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the node's log\n{}", self.log());
        }
        docker(&["rm", "-f", &self.name]);
        for agent in self.agents() {
            docker(&["rm", "-f", &agent]);
        }
        docker(&["volume", "rm", "-f", &self.name]);
    }
}

/// The state of the only task.
fn state(node: &Container) -> Result<String, String> {
    let tasks = node.items(&["task", "ls"])?;
    let state = tasks.first().and_then(|t| t["state"].as_str());
    state.map(str::to_owned).ok_or_else(|| format!("{tasks:?}"))
}

#[test]
fn a_node_in_a_container_does_a_task() {
    let Some(image) = node_image("a_node_in_a_container_does_a_task") else { return };
    let folder = tempfile::Builder::new().prefix("ikigai-e2e").tempdir().unwrap();
    project::make(&folder.path().join("project"));
    std::fs::copy(project::feature().join("model.toml"), folder.path().join("model.toml")).unwrap();
    std::fs::write(
        folder.path().join("ikigai.toml"),
        "[models.scripted]\nkind = \"scripted\"\nscript = \"/etc/ikigai/model.toml\"\n\n\
         [prices]\n\"scripted/*\" = { input = 0, output = 0 }\n\n\
         [task]\nprovider = \"scripted\"\ncpu_millis = 100\nmemory_bytes = 1073741824\n",
    )
    .unwrap();
    let mut node = Container::start(&image, folder.path());
    node.id = Some(node.ready());

    let (ok, text) = node.ikigai(&["task", "new", "T001"]);
    assert!(ok, "{text}");
    node.until("result of T001", 180, || {
        let state = state(&node)?;
        assert!(state != "failed", "{}", node.ikigai(&["task", "show", "T001"]).1);
        if state == "review" { Ok(()) } else { Err(node.ikigai(&["task", "why", "T001"]).1) }
    });
    let (ok, text) = node.ikigai(&["patch", "accept", "T001", "--wait", "--timeout", "60s"]);
    assert!(ok, "{text}");
    assert!(project::tasks(&folder.path().join("project")).contains("- [X] T001 "));
    assert!(node.agents().is_empty(), "agents are left: {:?}", node.agents());
}

#[test]
fn nodes_in_three_containers_form_a_mesh() {
    let Some(image) = node_image("nodes_in_three_containers_form_a_mesh") else { return };
    let nodes = ["a", "b", "c"].map(|name| {
        let mut node = Container::alone(&image, name, &["--hostname", name]);
        node.id = Some(node.ready());
        node
    });
    let [first, others @ ..] = &nodes;
    for other in others {
        let (ok, token) = first.ikigai(&["invite", "-o", "name"]);
        assert!(ok, "{token}");
        let (ok, text) = other.ikigai(&["join", token.lines().last().unwrap()]);
        assert!(ok, "{text}");
    }
    for node in &nodes {
        node.until("mesh of three", 60, || {
            let seen = node.items(&["node", "ls"])?;
            let alive = seen.iter().filter(|n| n["liveness"] == "alive");
            let mut names: Vec<_> = alive.filter_map(|n| n["name"].as_str()).collect();
            names.sort_unstable();
            if names == ["a", "b", "c"] { Ok(()) } else { Err(format!("{seen:?}")) }
        });
    }
}
