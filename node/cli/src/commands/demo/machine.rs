//! The demo's further nodes: each on a machine of its own as far as the network goes, let in by a token.

use super::node::{Model, config};
use super::programs::Programs;
use super::{Place, failed, lab, run};
use ikigai_ports::NodeHandle as _;
use ikigai_remote::RemoteNode;
use ikigai_types::NodeId;
use ikigai_wire::api::{Filter, Problem};
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    number: usize,
    home: PathBuf,
    /// Its name.
    pub(super) name: String,
    /// Its id.
    pub(super) id: NodeId,
}

/// The folders of all nodes, the first one's included, as far as they were started.
pub(super) fn homes(place: &Place) -> Vec<(usize, PathBuf)> {
    let home = |n: usize| (n, place.root.join(format!("node-{n}")));
    let all = std::iter::once((1, place.home())).chain((2..=super::MOST_NODES).map(home));
    all.filter(|(_, home)| home.exists()).collect()
}

impl Machine {
    /// Configures and starts node `number`.
    pub(super) async fn start(
        place: &Place,
        programs: &Programs,
        model: &Model,
        number: usize,
    ) -> Result<Self, Problem> {
        let (name, home) = (format!("demo-{number}"), place.root.join(format!("node-{number}")));
        std::fs::create_dir_all(&home).map_err(|e| failed("make a node's folder", e))?;
        let text = config(place, programs, model, (&name, Some(lab::address(number))))?;
        // Patches are opened by the node that has the tasks.
        let text = format!("{text}[forge]\nbackend = \"git\"\n");

        std::fs::write(home.join("ikigai.toml"), text).map_err(|e| failed("write the configuration", e))?;
        up(number, &home).await?;
        let id = handle(&home).snapshot(Filter::default()).await?.node;
        Ok(Self { number, home, name, id })
    }

    /// Comes into the mesh.
    pub(super) async fn join(&self, token: &str) -> Result<(), Problem> {
        eprintln!("  {}$ ikigai join {}…", self.name, token.get(..12).unwrap_or_default());
        let said = on(self.number, &self.home, &["join", token]).await?;
        eprintln!("  {said}");
        Ok(())
    }

    /// Starts it again.
    pub(super) async fn up(&self) -> Result<(), Problem> {
        up(self.number, &self.home).await
    }

    /// Sends its process a signal.
    pub(super) async fn signal(&self, signal: Signal) -> Result<(), Problem> {
        signal_to(&self.home, signal).await.map_err(|e| failed(&format!("send {} a signal", self.name), e))
    }
}

pub(super) fn handle(home: &Path) -> RemoteNode {
    RemoteNode::unix(home.join("ikigai.sock"))
}

/// Starts the node of `home`, which has a configuration.
pub(super) async fn up(number: usize, home: &Path) -> Result<(), Problem> {
    let config = home.join("ikigai.toml").display().to_string();
    on(number, home, &["up", "--detach", "--config", &config]).await.map(drop)
}

/// Starts the node of `home` again, which remembers its configuration.
pub(super) async fn again(number: usize, home: &Path) -> Result<(), Problem> {
    on(number, home, &["up", "--detach"]).await.map(drop)
}

/// Sends the process that listens on the node's socket a signal.
pub(super) async fn signal_to(home: &Path, signal: Signal) -> std::io::Result<()> {
    let socket = tokio::net::UnixStream::connect(home.join("ikigai.sock")).await?;
    let pid = socket.peer_cred()?.pid().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::other("the kernel does not say whose socket it is"))?;
    Ok(kill_process(pid, signal)?)
}

/// Runs a command of this program on the machine of node `number`, and answers what it printed.
async fn on(number: usize, home: &Path, args: &[&str]) -> Result<String, Problem> {
    let program = std::env::current_exe().map_err(|e| failed("find this program", e))?;
    let mut words = lab::on(number);
    words.push(program.display().to_string());
    let args: Vec<_> = words.iter().skip(1).map(String::as_str).chain(args.iter().copied()).collect();
    run(Path::new(&words[0]), &args, home, &[("IKIGAI_HOME", &home.display().to_string())]).await
}
