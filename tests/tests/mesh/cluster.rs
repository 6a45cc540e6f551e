//! Nodes as processes, each in a network of its own, to be stopped, killed and started again.

use crate::{left, project};
use ikigai_ports::NodeHandle as _;
use ikigai_remote::RemoteNode;
use ikigai_tests::netns::{self, Net};
use ikigai_tests::parts;
use ikigai_types::{AttemptId, Epoch, NodeId};
use ikigai_wire::api::{Filter, NodeView, SubmitRequest, TaskView};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustix::process::{Pid, Signal};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// What a cluster is made of.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub nodes: usize,
    pub tasks: usize,
    /// Tenths of a second that a task takes.
    pub tenths: u32,
    /// Workloads at once on each node but the first.
    pub slots: u64,
    /// The same on the first node, which owns the tasks.
    pub owner_slots: u64,
}

/// Seconds of a lease: a holder counts on ten of them, and asks for more every third second.
pub const LEASE: u64 = 12;

/// Nodes, their network, and the project they work on. The first node owns all tasks.
pub struct Cluster {
    pub nodes: Vec<Node>,
    pub net: Net,
    pub shape: Shape,
    folder: TempDir,
    /// Control groups that were there before.
    pub groups_before: BTreeSet<PathBuf>,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

/// One node: its key, its folder, and its process while there is one.
pub struct Node {
    pub id: NodeId,
    folder: PathBuf,
    at: usize,
    /// Ended with it.
    child: Option<Child>,
    /// Each process that it was, the present one last.
    lives: Vec<Pid>,
}

/// An attempt under its lease.
pub type Held = (AttemptId, Epoch);

/// Whole meshes share one small machine badly: one test at a time has one.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Cluster {
    /// Makes network, project and nodes, starts all and waits until they know each other; none, having said why,
    /// when this machine cannot.
    pub async fn start(test: &str, shape: Shape) -> Option<Self> {
        Self::with(test, shape, |_| String::new()).await
    }

    /// The same with `more` at the end of each node's configuration.
    pub async fn with(test: &str, shape: Shape, more: impl Fn(usize) -> String) -> Option<Self> {
        if !parts::root(test) {
            return None;
        }
        // Also for the question whether there can be one: it is asked by making something with one name.
        let _turn = TURN.lock().await;
        let bubblewrap = !std::path::Path::new("/usr/bin/bwrap").is_file();
        let bubblewrap = bubblewrap.then(|| "bubblewrap is not installed".to_owned());
        if let Some(why) = netns::missing().or(bubblewrap) {
            parts::missing(test, &why, "IKIGAI_REQUIRE_SANDBOX");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("ikigai-mesh").tempdir().unwrap();
        project::make(&folder.path().join("project"), shape.tasks, shape.tenths);
        let nodes = (0..shape.nodes).map(|at| Node::new(at, folder.path().join(format!("n{at}")))).collect();
        let mut cluster =
            Self { nodes, net: Net::new(shape.nodes), shape, folder, groups_before: left::groups(), _turn };
        for at in 0..shape.nodes {
            cluster.configure(at, &more(at));
            cluster.up(at).await;
        }
        cluster.until_all_see_each_other(Duration::from_secs(60)).await;
        Some(cluster)
    }

    fn configure(&self, at: usize, more: &str) {
        let node = &self.nodes[at];
        let others = self.nodes.iter().filter(|n| n.at != at);
        let peers: Vec<_> =
            others.map(|n| format!("{}@/ip4/{}/tcp/7421", n.id, self.net.address(n.at))).collect();
        let slots = if at == 0 { self.shape.owner_slots } else { self.shape.slots };
        let address = self.net.address(at);
        let agentd = parts::built("ikigai-agentd");
        let config = format!(
            "[node]\nname = \"n{at}\"\nslots = {slots}\nlease_secs = {LEASE}\nbackoff_ms = 200\ncpu_millis = 100000\n\n\
             [http]\nlisten = \"off\"\n\n\
             [mesh]\nlisten = [\"/ip4/{address}/tcp/7421\", \"/ip4/{address}/udp/7421/quic-v1\"]\nmdns = false\n\
             peers = {peers:?}\n\n\
             [executor]\nbackend = \"process\"\nagentd = {agentd:?}\n\n[forge]\nbackend = \"git\"\n\n\
             [task]\nadapter = \"command\"\ncpu_millis = 100\nmemory_bytes = 134217728\ndisk_bytes = 67108864\n\n{more}\n",
        );
        std::fs::create_dir_all(node.home()).unwrap();
        std::fs::write(node.home().join("node.key"), seed(at)).unwrap();
        std::fs::write(node.folder.join("ikigai.toml"), config).unwrap();
    }

    /// Starts a node, and waits until it answers.
    pub async fn up(&mut self, at: usize) {
        let node = &self.nodes[at];
        let log = std::fs::OpenOptions::new().create(true).append(true).open(node.log()).unwrap();
        let mut command = Command::from(self.net.command(at, &parts::built("ikigai")));
        command.arg("--home").arg(node.home()).arg("up").arg("--config").arg(node.folder.join("ikigai.toml"));
        command.current_dir(&node.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.starts_with("ready ") {
                    return true;
                }
            }
            false
        };
        let ready = tokio::time::timeout(Duration::from_secs(60), ready).await;
        assert_eq!(ready, Ok(true), "node {at} does not start:\n{}", node.log_tail());
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let node = &mut self.nodes[at];
        node.lives.extend(pid);
        node.child = Some(child);
    }

    /// SIGKILL; over when the process is gone.
    pub async fn kill(&mut self, at: usize) {
        self.nodes[at].child.take().expect("it runs").kill().await.unwrap();
    }

    pub fn owner(&self) -> &Node {
        &self.nodes[0]
    }

    /// What every path of it has in it.
    pub fn name(&self) -> String {
        self.folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// What a person types in the project, at a terminal of node `at`; answers what was printed.
    pub async fn types(&self, at: usize, args: &[&str]) -> String {
        let (good, text) = self.tries(at, args).await;
        assert!(good, "{args:?}: {text}");
        text
    }

    /// The same where it is refused.
    pub async fn refused(&self, at: usize, args: &[&str]) -> String {
        let (good, text) = self.tries(at, args).await;
        assert!(!good, "{args:?} was not refused: {text}");
        text
    }

    /// Whether what a person types works, and what is printed: when it does not, also why.
    pub async fn tries(&self, at: usize, args: &[&str]) -> (bool, String) {
        let node = &self.nodes[at];
        let mut command = Command::from(self.net.command(at, &parts::built("ikigai")));
        command.arg("--home").arg(node.home()).args(args).current_dir(self.project()).stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (good, out) = (output.status.success(), text(&output.stdout));
        (good, if good { out } else { out + &text(&output.stderr) })
    }

    /// Waits until node `at` shows the task in that state.
    pub async fn until(&self, at: usize, short: &str, state: &str) {
        let reached = async {
            while !self.nodes[at].tasks().await.iter().any(|t| t.short == short && t.state == state) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(90), reached).await;
        assert!(reached.is_ok(), "{short} is never {state} on node {at}:\n{}", self.logs());
    }

    /// Submits every task.
    pub async fn submit(&self) {
        let project = self.project().display().to_string();
        let request = SubmitRequest { project, ..SubmitRequest::default() };
        let view = self.owner().handle().submit(request).await.unwrap();
        assert_eq!(view.accepted.len(), self.shape.tasks);
    }

    /// Waits until every node believes every other to be alive, and says how long that took.
    pub async fn until_all_see_each_other(&self, limit: Duration) -> Duration {
        let began = Instant::now();
        let all = async {
            while self.missed().await > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let seen = tokio::time::timeout(limit, all).await;
        assert!(seen.is_ok(), "the nodes do not see each other after {limit:?}:\n{}", self.logs());
        began.elapsed()
    }

    /// How often one node does not believe another to be alive.
    pub async fn missed(&self) -> usize {
        let seen = futures::future::join_all(self.nodes.iter().map(Node::sees)).await;
        seen.iter().map(|names| self.nodes.len() - names.len()).sum()
    }

    /// The end of every node's log.
    pub fn logs(&self) -> String {
        self.nodes.iter().map(|n| format!("--- node {}\n{}\n", n.at, n.log_tail())).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
            if std::env::var_os("KEEP").is_some() {
                self.folder.disable_cleanup(true);
                eprintln!("kept: {}", self.folder.path().display());
            }
        }
    }
}

impl Node {
    fn new(at: usize, folder: PathBuf) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed(at)).unwrap();
        let id = NodeId::from_bytes(pair.public_key().as_ref().try_into().unwrap());
        Self { id, folder, at, child: None, lives: Vec::new() }
    }

    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    pub fn handle(&self) -> RemoteNode {
        RemoteNode::unix(self.home().join("ikigai.sock"))
    }

    /// SIGSTOP: it stands still, and so does the time it believes has passed.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(*self.lives.last().expect("it runs"), signal).unwrap();
    }

    /// Whether `pid` is its process, or was once.
    pub fn was(&self, pid: i32) -> bool {
        self.lives.iter().any(|p| p.as_raw_nonzero().get() == pid)
    }

    /// Its process now.
    pub fn is(&self, pid: i32) -> bool {
        self.lives.last().is_some_and(|p| p.as_raw_nonzero().get() == pid)
    }

    /// What it runs, as its owner sees it.
    pub fn held(&self, tasks: &[TaskView]) -> Vec<Held> {
        let attempts = tasks.iter().filter(|t| t.state == "running").filter_map(|t| t.attempts.last());
        let held = attempts.filter(|a| a.node == self.id && a.phase == "running");
        held.map(|a| (a.id.clone(), a.epoch)).collect()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("node.log")
    }

    fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Names of the nodes it believes to be alive.
    async fn sees(&self) -> BTreeSet<String> {
        self.views().await.into_iter().filter(|n| n.liveness == "alive").map(|n| n.name).collect()
    }

    /// Attempts that it holds, as it says itself.
    pub async fn running(&self) -> Option<u64> {
        self.views().await.into_iter().find(|n| n.id == self.id).map(|n| n.running)
    }

    /// The nodes as it knows them; none while it is away.
    async fn views(&self) -> Vec<NodeView> {
        // Showing tasks is work: no state is called this.
        let filter = Filter { states: vec!["-".to_owned()], ..Filter::default() };
        self.handle().snapshot(filter).await.map(|s| s.nodes).unwrap_or_default()
    }

    /// Its tasks; none while it is away.
    pub async fn tasks(&self) -> Vec<TaskView> {
        self.handle().snapshot(Filter::default()).await.map(|s| s.tasks).unwrap_or_default()
    }
}

fn seed(at: usize) -> [u8; 32] {
    [u8::try_from(at + 1).unwrap(); 32]
}
