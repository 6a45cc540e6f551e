//! Several nodes, one mesh: work goes where there is room, and is checked, read and opened from any of them.

use crate::line::{check_result, lines, until_all_accepted};
use crate::node::{NodeProcess, Runs, Turn, free_port, turn};
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_types::NodeId;
use ikigai_wire::api::{Filter, TaskOptions};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Nodes that know each other by their configuration.
pub struct Mesh {
    pub nodes: Vec<NodeProcess>,
    _turn: Turn,
}

/// A node's key, made before it is started.
struct Key {
    seed: [u8; 32],
    id: NodeId,
    port: u16,
}

impl Key {
    fn new(n: u8) -> Self {
        let seed = [n + 1; 32];
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let id = NodeId::from_bytes(pair.public_key().as_ref().try_into().unwrap());
        Self { seed, id, port: free_port() }
    }
}

impl Mesh {
    /// Starts `count` nodes; the first takes no work itself when it is `busy`.
    pub async fn start(count: u8, runs: &Runs, more: &str) -> Self {
        Self::scripted(count, runs, more, &project::feature().join("model.toml")).await
    }

    /// The same with a model that follows a script of the test's own.
    pub async fn scripted(count: u8, runs: &Runs, more: &str, script: &Path) -> Self {
        let _turn = turn().await;
        let keys: Vec<_> = (0..count).map(Key::new).collect();
        let mut nodes = Vec::new();
        for (n, key) in keys.iter().enumerate() {
            let others = keys.iter().filter(|k| k.id != key.id);
            let peers: Vec<_> = others.map(|k| format!("{}@/ip4/127.0.0.1/tcp/{}", k.id, k.port)).collect();
            let mesh = format!(
                "{more}\n[mesh]\nlisten = [\"/ip4/127.0.0.1/tcp/{}\"]\nmdns = false\npeers = {peers:?}\n",
                key.port
            );
            let name = format!("n{}", n + 1);
            let mut node = NodeProcess::prepare(&name, runs, "backend = \"git\"", &mesh, script);
            std::fs::create_dir_all(node.home()).unwrap();
            std::fs::write(node.home().join("node.key"), key.seed).unwrap();
            node.up().await;
            nodes.push(node);
        }
        let mesh = Self { nodes, _turn };
        mesh.until_all_see_each_other().await;
        mesh
    }

    async fn until_all_see_each_other(&self) {
        let names: Vec<_> = (1..=self.nodes.len()).map(|n| format!("n{n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        for node in &self.nodes {
            until_alive(node, &names).await;
        }
    }
}

/// Waits until `node` shows these nodes as alive, and no others at all.
pub async fn until_alive(node: &NodeProcess, names: &[&str]) {
    let seen = async {
        while seen(node).await != names.iter().map(|n| ((*n).to_owned(), "alive".to_owned())).collect() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), seen).await.is_ok();
    assert!(in_time, "not {names:?} but {:?}:\n{}", self::seen(node).await, node.log_text());
}

async fn seen(node: &NodeProcess) -> BTreeSet<(String, String)> {
    let nodes = node.handle().snapshot(Filter::default()).await.map(|s| s.nodes).unwrap_or_default();
    nodes.into_iter().map(|n| (n.name, n.liveness)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feature_spreads_over_three_nodes_and_any_of_them_shows_it() {
    let Some(tools) = parts::codex("a_feature_spreads_over_three_nodes_and_any_of_them_shows_it") else {
        return;
    };
    let mesh = Mesh::start(3, &Runs::Process(tools), "").await;
    let [owner, second, third] = &mesh.nodes[..] else { unreachable!() };
    owner.submit(&[], TaskOptions::default()).await;
    until_all_accepted(owner, Duration::from_secs(240)).await;
    check_result(owner).await;

    let tasks = owner.tasks().await;
    let ran: BTreeSet<_> = tasks.iter().flat_map(|t| t.attempts.iter().map(|a| a.node)).collect();
    assert!(ran.len() >= 2, "all of it ran on one node");
    let elsewhere = tasks.iter().filter(|t| {
        let ran = t.attempts.last().map(|a| a.node);
        let checked = t.patch.as_ref().and_then(|p| p.evidence.as_ref()).and_then(|e| e.node);
        assert!(ran.is_some() && checked.is_some(), "{} was not checked: {t:#?}", t.short);
        ran != checked
    });
    assert!(elsewhere.count() >= tasks.len() / 2, "results are checked where they were made: {tasks:#?}");

    for other in [second, third] {
        let seen = other.tasks().await;
        let states: Vec<_> = seen.iter().map(|t| (t.short.as_str(), t.state.as_str())).collect();
        assert_eq!(states.len(), 10, "{states:?}");
        assert!(states.iter().all(|(_, state)| *state == "accepted"), "{states:?}");
        let task = other.task("T003").await;
        let attempt = task.attempts.last().unwrap().id.clone();
        assert_eq!(lines(other, &attempt).await, lines(owner, &attempt).await);
        assert!(other.handle().diff(&task.id).await.unwrap().contains("+++"));
    }
}
