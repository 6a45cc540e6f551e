//! The second Radicle node: somebody else's, as far as the first one knows.

use super::node::DemoNode;
use super::programs::Programs;
use super::{Place, failed, run};
use ikigai_wire::api::Problem;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// How long a Radicle node may take to answer.
const READY: Duration = Duration::from_secs(20);

/// A running second node.
#[derive(Debug)]
pub(super) struct Seed {
    home: PathBuf,
    programs: Programs,
    /// `<nid>@127.0.0.1:<port>`.
    pub(super) address: String,
}

/// Makes its identity and starts it; its process id is noted so that it can be ended later.
pub(super) async fn start(place: &Place, programs: &Programs) -> Result<Seed, Problem> {
    let home = place.seed();
    std::fs::create_dir_all(&home).map_err(|e| failed("make the seed's folder", e))?;
    let port = super::node::free_port()?;
    let mut seed = Seed { home, programs: programs.clone(), address: String::new() };
    seed.rad(&["auth", "--alias", "second"]).await?;
    let config = serde_json::json!({
        "preferredSeeds": [],
        "cli": { "hints": false },
        "node": {
            "alias": "second",
            "listen": [format!("127.0.0.1:{port}")],
            "peers": { "type": "static" },
            "connect": [],
            "externalAddresses": [format!("127.0.0.1:{port}")],
            "network": "main",
            "relay": "never",
            "seedingPolicy": { "default": "block" },
            "fetch": { "signedReferences": { "featureLevel": { "minimum": "parent" } } },
        },
    });
    std::fs::write(seed.home.join("config.json"), config.to_string()).map_err(|e| failed("configure", e))?;
    let log =
        std::fs::File::create(seed.home.join("node.log")).map_err(|e| failed("open the seed's log", e))?;
    let mut command = std::process::Command::new(programs.radicle("radicle-node"));
    command.envs(seed.env().iter().map(|(k, v)| (*k, v.as_str()))).env_remove("SSH_AUTH_SOCK");
    command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).process_group(0);
    let child = command.spawn().map_err(|e| failed("start radicle-node", e))?;
    std::fs::write(seed.home.join("pid"), child.id().to_string())
        .map_err(|e| failed("note a process id", e))?;
    seed.ready().await?;
    let nid = seed.rad(&["node", "status", "--only", "nid"]).await?;
    seed.address = format!("{nid}@127.0.0.1:{port}");
    Ok(seed)
}

impl Seed {
    fn env(&self) -> [(&'static str, String); 4] {
        [
            ("RAD_HOME", self.home.display().to_string()),
            ("RAD_PASSPHRASE", String::new()),
            ("NO_COLOR", "1".to_owned()),
            ("PATH", self.programs.path()),
        ]
    }

    async fn rad(&self, args: &[&str]) -> Result<String, Problem> {
        let env = self.env();
        let env: Vec<_> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
        run(&self.programs.radicle("rad"), args, &self.home, &env).await
    }

    /// Waits until its control socket takes connections.
    async fn ready(&self) -> Result<(), Problem> {
        let socket = self.home.join("node/control.sock");
        let answers = async {
            while tokio::net::UnixStream::connect(&socket).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let late = |_| failed("start radicle-node", "it does not answer");
        tokio::time::timeout(READY, answers).await.map_err(late)
    }

    /// Has it seed the project that the first node published.
    pub(super) async fn follow(&self, node: &DemoNode) -> Result<(), Problem> {
        let rid = node.rid().await?;
        let nid = node.nid().await?;
        self.rad(&["seed", &rid, "--scope", "all", "--from", &nid]).await?;
        Ok(())
    }

    /// Patches it has seen of the project.
    pub(super) async fn patches(&self, rid: &str) -> Result<usize, Problem> {
        let list = self.rad(&["cob", "list", "--repo", rid, "--type", "xyz.radicle.patch"]).await?;
        Ok(list.lines().filter(|l| !l.trim().is_empty()).count())
    }
}

fn noted(home: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(home.join("ikigai/node.pid")).ok()?;
    let note: serde_json::Value = serde_json::from_str(&text).ok()?;
    note.get("pid")?.as_i64().and_then(|pid| i32::try_from(pid).ok())
}

/// Ends the second node an earlier run left, if the process noted there is still that one.
pub(super) async fn stop(home: &Path) {
    let own = std::fs::read_to_string(home.join("pid")).ok().and_then(|t| t.trim().parse::<i32>().ok());
    // Where the demo's own node was killed, its Radicle node is noted by the node.
    let Some(pid) = own.or_else(|| noted(home)) else { return };
    let mine = format!("RAD_HOME={}", home.display());
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let is_it = environ.split(|b| *b == 0).any(|v| v == mine.as_bytes());
    let Some(process) = rustix::process::Pid::from_raw(pid).filter(|_| is_it) else { return };
    let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    let gone = async {
        // A child of ours becomes a zombie, one of an earlier demo disappears.
        while std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|e| !e.is_empty()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(5), gone).await.is_err() {
        let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    }
}
