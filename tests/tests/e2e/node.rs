//! A node as a process, to be asked, killed and started again.

use crate::{parts, project};
use futures::StreamExt as _;
use ikigai_ports::NodeHandle as _;
use ikigai_remote::RemoteNode;
use ikigai_wire::api::{
    Command as Do, Event, Filter, SubmitRequest, SubmitSource, SubmitView, TaskOptions, TaskView,
};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How the node runs its agents.
#[derive(Debug, Clone)]
pub enum Runs {
    /// In containers of this image.
    Docker(String),
    /// As processes, with the tools of this folder.
    Process(PathBuf),
}

/// The one node of a test, and the test's turn.
pub struct TestNode {
    process: NodeProcess,
    _turn: Turn,
}

/// A node, its folder, and a project it works on.
pub struct NodeProcess {
    pub folder: tempfile::TempDir,
    config: String,
    port: u16,
    child: Option<Child>,
    user: Option<User>,
}

/// Another user than who runs the tests: a user and a group id.
pub type User = (u32, u32);

/// A test's turn to have nodes.
pub type Turn = tokio::sync::MutexGuard<'static, ()>;

/// Waits for this test's turn.
pub async fn turn() -> Turn {
    TURN.lock().await
}

impl std::ops::Deref for TestNode {
    type Target = NodeProcess;
    fn deref(&self) -> &NodeProcess {
        &self.process
    }
}

impl std::ops::DerefMut for TestNode {
    fn deref_mut(&mut self) -> &mut NodeProcess {
        &mut self.process
    }
}

/// Whole nodes with containers and a browser share one small machine badly: one test at a time has one.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl TestNode {
    /// Makes folder and project and starts the node; its model follows the feature's script.
    pub async fn start(runs: &Runs, forge: &str, more: &str) -> Self {
        Self::scripted(runs, forge, more, &project::feature().join("model.toml")).await
    }

    /// The same with a script of the test's own.
    pub async fn scripted(runs: &Runs, forge: &str, more: &str, script: &Path) -> Self {
        let _turn = turn().await;
        let mut process =
            NodeProcess::prepare("test", runs, forge, &format!("{more}\n[mesh]\nlisten = []"), script);
        process.up().await;
        Self { process, _turn }
    }

    /// The same with a node that belongs to `user`.
    pub async fn of_user(runs: &Runs, forge: &str, user: User) -> Self {
        let _turn = turn().await;
        let script = project::feature().join("model.toml");
        let mut process = NodeProcess::prepare("test", runs, forge, "[mesh]\nlisten = []", &script);
        process.give_to(user);
        process.up().await;
        Self { process, _turn }
    }
}

impl NodeProcess {
    /// Everything of it belongs to `user` from now on; what it needs lies where that user may read.
    fn give_to(&mut self, user: User) {
        let (folder, script) = (self.folder.path(), project::feature().join("model.toml"));
        let readable = folder.join("model.toml");
        std::fs::copy(&script, &readable).unwrap();
        std::fs::copy(parts::built("ikigai"), folder.join("ikigai")).unwrap();
        self.config = self.config.replace(&format!("{script:?}"), &format!("{readable:?}"));
        let (uid, gid) = user;
        let chown = ["-R", &format!("{uid}:{gid}")].map(str::to_owned);
        assert!(std::process::Command::new("chown").args(chown).arg(folder).status().unwrap().success());
        self.user = Some(user);
    }

    /// The program, as whom it belongs to.
    fn program(&self) -> Command {
        let Some((uid, gid)) = self.user else { return Command::new(parts::built("ikigai")) };
        let mut command = Command::new(self.folder.path().join("ikigai"));
        command.uid(uid).gid(gid).env("HOME", self.folder.path());
        command
    }

    /// Makes folder and project of a node that is called `name`; `up` starts it.
    pub fn prepare(name: &str, runs: &Runs, forge: &str, more: &str, script: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("ikigai-e2e").tempdir().unwrap();
        project::make(&folder.path().join("project"));
        let executor = match runs {
            Runs::Docker(image) => format!("backend = \"docker\"\nimage = {image:?}\n"),
            Runs::Process(tools) => {
                let agentd = parts::built("ikigai-agentd");
                format!("backend = \"process\"\nagentd = {agentd:?}\ntools = [{tools:?}]\n")
            }
        };
        let port = free_port();
        let config = format!(
            "[node]\nname = {name:?}\nbackoff_ms = 500\nslots = 3\n\n[http]\nlisten = \"127.0.0.1:{}\"\n\n[executor]\n{executor}\n\
             [forge]\n{forge}\n\n[models.scripted]\nkind = \"scripted\"\nscript = {:?}\n\n\
             [prices]\n\"scripted/*\" = {{ input = 0, output = 0 }}\n\n[task]\nprovider = \"scripted\"\ncpu_millis = 100\n\
             memory_bytes = 1073741824\n{more}\n",
            port, script,
        );
        Self { folder, config, port, child: None, user: None }
    }

    /// With a line more under `[http]`.
    pub fn with_http(mut self, line: &str) -> Self {
        self.config = self.config.replace("[http]\n", &format!("[http]\n{line}\n"));
        self
    }

    /// With a line more under `[node]`.
    pub fn with_node(mut self, line: &str) -> Self {
        self.config = self.config.replace("[node]\n", &format!("[node]\n{line}\n"));
        self
    }

    /// With a section more.
    pub fn with(mut self, section: &str) -> Self {
        self.config.push_str(&format!("\n{section}\n"));
        self
    }

    /// Its socket for every Linux user of the machine, when its configuration names this one.
    pub fn shared(&self) -> PathBuf {
        self.folder.path().join("run/shared.sock")
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Where its API listens.
    pub fn http(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub fn handle(&self) -> RemoteNode {
        RemoteNode::unix(self.home().join("ikigai.sock"))
    }

    /// Starts it, and waits until it answers.
    pub async fn up(&mut self) {
        let file = self.config_file();
        std::fs::write(&file, &self.config).unwrap();
        self.up_with(&["--config".as_ref(), file.as_os_str()]).await;
    }

    /// What `up` names with --config.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("ikigai.toml")
    }

    /// Starts it with these flags, and waits until it answers.
    pub async fn up_with(&mut self, flags: &[&std::ffi::OsStr]) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = self.program();
        command.arg("--home").arg(self.home()).arg("up").args(flags);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
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
        assert_eq!(ready, Ok(true), "the node does not start:\n{}", self.log_text());
        self.child = Some(child);
    }

    /// SIGKILL, at once.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.start_kill().unwrap();
        child.wait().await.unwrap();
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).unwrap()
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("node.log")
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// Submits the open tasks of the feature.
    pub async fn submit(&self, ids: &[&str], options: TaskOptions) -> SubmitView {
        let source = SubmitSource::Feature {
            feature: None,
            ids: ids.iter().map(ToString::to_string).collect(),
            with_deps: false,
        };
        let project = self.project().display().to_string();
        let request = SubmitRequest { project, source, options, ..SubmitRequest::default() };
        self.handle().submit(request).await.unwrap()
    }

    pub async fn tasks(&self) -> Vec<TaskView> {
        self.handle().snapshot(Filter::default()).await.map(|s| s.tasks).unwrap_or_default()
    }

    pub async fn task(&self, short: &str) -> TaskView {
        self.handle().task(short).await.unwrap()
    }

    /// Waits for an event that `wanted` picks.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut events = self.handle().events(None).await.unwrap();
        let found = async {
            while let Some(event) = events.next().await {
                let event = event.unwrap();
                if wanted(&event) {
                    return event;
                }
            }
            panic!("the events ended")
        };
        let found = tokio::time::timeout(Duration::from_secs(120), found).await;
        found.unwrap_or_else(|_| panic!("no {what} within two minutes:\n{}", self.log_text()))
    }

    /// Every event so far.
    pub async fn events(&self) -> Vec<Event> {
        let last = self.handle().snapshot(Filter::default()).await.unwrap().cursor;
        let mut events = self.handle().events(None).await.unwrap();
        let mut all = Vec::new();
        while let Some(event) = events.next().await {
            all.push(event.unwrap());
            if all.last().is_some_and(|e| e.cursor == last) {
                break;
            }
        }
        all
    }

    /// Accepts whatever waits for a person; what cannot be accepted now is left.
    pub async fn accept_ready(&self) {
        for task in self.tasks().await.into_iter().filter(|t| t.state == "review") {
            let _ = self.handle().command(&task.id, Do::Accept { force: false }).await;
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the node's log\n{}", self.log_text());
        }
        // The node first: one that lives starts the next agent behind the clean-up's back.
        if let Some(child) = &mut self.child {
            let _ = child.start_kill();
        }
        leave_nothing(&self.home());
    }
}

/// Ends what a killed node left running: containers with a mount below its home, its processes.
fn leave_nothing(home: &Path) {
    let list = std::process::Command::new("docker")
        .args(["ps", "-aq", "--filter", "label=dev.ikigai.node"])
        .output();
    let ids = list.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    for id in ids.lines() {
        let mounts =
            std::process::Command::new("docker").args(["inspect", "-f", "{{json .Mounts}}", id]).output();
        if mounts.is_ok_and(|m| String::from_utf8_lossy(&m.stdout).contains(&*home.to_string_lossy())) {
            let _ = std::process::Command::new("docker").args(["rm", "-f", id]).output();
        }
    }
}

/// A port nobody listens on now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
