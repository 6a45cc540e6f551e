//! A patch made here is reviewed and merged with plain `rad` and `git` on another Radicle node.

use crate::node::{Runs, TestNode, free_port};
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Filter, TaskOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Another person's Radicle node, with nothing of ours on it.
struct Other {
    dir: tempfile::TempDir,
    bin: PathBuf,
    node: Option<Child>,
}

impl Other {
    /// Connected to `peer` (`<nid>@<host>:<port>`), and ready.
    async fn start(bin: &Path, peer: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("ikigai-rad").tempdir().unwrap();
        let mut other = Self { dir, bin: bin.to_owned(), node: None };
        other.rad(&["auth", "--alias", "reviewer"]);
        let listen = format!("127.0.0.1:{}", free_port());
        let config = serde_json::json!({
            "preferredSeeds": [peer], "cli": { "hints": false },
            "publicExplorer": "https://radicle.network/nodes/$host/$rid$path",
            "node": {
                "alias": "reviewer", "listen": [listen], "peers": { "type": "static" }, "connect": [peer],
                "network": "main", "relay": "never", "seedingPolicy": { "default": "block" },
            },
        });
        std::fs::write(other.home().join("config.json"), config.to_string()).unwrap();
        let mut node = other.command(&other.bin.join("radicle-node"));
        let node = node.arg("--force").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        other.node = Some(node);
        eventually("the other Radicle node", || other.tried(&["node", "status", "--only", "nid"]).ok()).await;
        other
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn command(&self, program: &Path) -> Command {
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command.env("RAD_HOME", self.home()).env("RAD_PASSPHRASE", "").env("NO_COLOR", "1").env("PATH", path);
        command.env_remove("SSH_AUTH_SOCK").env("GIT_CONFIG_GLOBAL", "/dev/null").stdin(Stdio::null());
        command.current_dir(self.dir.path());
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Reviewer").env(format!("GIT_{who}_EMAIL"), "r@e.invalid");
        }
        command
    }

    fn tried(&self, args: &[&str]) -> Result<String, String> {
        said(self.command(&self.bin.join("rad")).args(args))
    }

    fn rad(&self, args: &[&str]) -> String {
        self.tried(args).unwrap_or_else(|e| panic!("rad {args:?}: {e}"))
    }

    fn git(&self, args: &[&str]) -> Result<String, String> {
        said(self.command(Path::new("git")).args(args))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        if let Some(node) = &mut self.node {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

fn said(command: &mut Command) -> Result<String, String> {
    let out = command.output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    if out.status.success() { Ok(text) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned()) }
}

async fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let found = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), found).await;
    found.unwrap_or_else(|_| panic!("no {what} in time"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_reviewed_and_merged_on_another_radicle_node() {
    let test = "a_patch_is_reviewed_and_merged_on_another_radicle_node";
    let (Some(image), Some(bin)) = (parts::docker_image(test), parts::radicle(test)) else { return };
    let port = free_port();
    let forge = format!("backend = \"radicle\"\nradicle_bin = {bin:?}\nlisten = \"127.0.0.1:{port}\"");
    let node = TestNode::start(&Runs::Docker(image), &forge, "").await;
    node.submit(&["T001"], TaskOptions::default()).await;
    node.until("verdict", |e| e.what == "verified").await;
    let rid = node.handle().snapshot(Filter::default()).await.unwrap().projects[0].repository.clone();
    let patch = node.task("T001").await.patch.unwrap().id.unwrap().to_string();

    let own = |args: &[&str]| {
        let mut rad = Command::new(bin.join("rad"));
        rad.env("RAD_HOME", node.home().join("radicle")).env("RAD_PASSPHRASE", "").stdin(Stdio::null());
        said(rad.args(args)).unwrap_or_else(|e| panic!("rad {args:?}: {e}"))
    };
    let nid = own(&["node", "status", "--only", "nid"]);
    let other = Other::start(&bin, &format!("{nid}@127.0.0.1:{port}")).await;
    let seed = ["seed", &rid, "--scope", "all", "--from", &nid];
    eventually("the repository on the other node", || other.tried(&seed).ok()).await;
    let cob = ["cob", "show", "--repo", &rid, "--type", "xyz.radicle.patch", "--object", &patch];
    eventually("the patch on the other node", || other.tried(&cob).ok()).await;

    // Nobody knows who this is: it is shown, and that is all.
    let comment = ["patch", "comment", "--repo", &rid, &patch, "-m", "name what the package is for"];
    other.rad(&comment);
    let shown = async {
        loop {
            let notes = node.task("T001").await.patch.unwrap().notes;
            if let Some(note) = notes.into_iter().find(|n| n.standing == "stranger") {
                return note;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let shown = tokio::time::timeout(Duration::from_secs(60), shown).await.expect("the note is shown");
    assert_eq!(shown.text, "name what the package is for");
    assert_eq!(node.task("T001").await.state, "review");

    // A delegate of the repository: what they said goes to the agent.
    let did = format!("did:key:{}", other.rad(&["node", "status", "--only", "nid"]));
    let known = ["id", "update", "--repo", &rid, "--title", "a reviewer", "--description", "may merge"];
    own(&[&known[..], &["--delegate", &did, "--threshold", "1", "--no-confirm"]].concat());
    node.until("verdict of the next turn", |e| e.what == "verified" && e.attempt == Some(2)).await;
    let told = node.events().await.into_iter().find(|e| e.what == "rejected").expect("it is sent back");
    assert_eq!(told.text, "name what the package is for");
    let second = node.task("T001").await.patch.unwrap();
    assert_eq!((second.revision, second.id.unwrap().to_string()), (2, patch.clone()));

    // A merge there is a merge here.
    let (url, name) = (rid.replace("rad:", "rad://"), format!("refs/heads/patches/{patch}"));
    let there = || other.git(&["ls-remote", &url, &name]).ok().filter(|refs| refs.starts_with(&second.head));
    eventually("the second revision on the other node", there).await;
    let delegate = || other.tried(&["inspect", "--delegates", &rid]).ok().filter(|d| d.contains(&did));
    eventually("the delegate on the other node", delegate).await;
    let git = |args: &[&str]| other.git(args).unwrap_or_else(|e| panic!("git {args:?}: {e}"));
    git(&["clone", "-q", &url, "work"]);
    git(&["-C", "work", "fetch", "-q", &url, &name]);
    git(&["-C", "work", "merge", "-q", "--no-ff", "-m", "Merge T001 by hand", "FETCH_HEAD"]);
    let push = format!("{url}/{}", did.trim_start_matches("did:key:"));
    git(&["-C", "work", "push", "-q", &push, "HEAD:refs/heads/main"]);
    node.until("ticked box", |e| e.what == "ticked").await;
    assert_eq!(node.task("T001").await.state, "accepted");
    assert!(project::tasks(&node.project()).contains("- [X] T001 "));
    let log = project::git(&node.project(), &["log", "--format=%s", "main"]);
    assert!(log.contains("Merge T001 by hand") && !log.contains("T001: Create"), "{log}");
}
