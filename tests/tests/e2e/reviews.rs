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

/// An agent that makes something once. After "name" it makes more, after "stay" it works on for ever, and after anything
/// else it changes nothing.
const AGENT: &str = "#!/bin/sh
prompt=$(cat)
if [ -e made ]; then
    case $prompt in
    *'said: name'*) ;;
    *'said: stay'*) exec sleep 600 ;;
    *) exit 0 ;;
    esac
fi
echo more >> made && git add made && git commit -qm 'T001: made'
";

/// A node of ours with T001 in review, and another person's Radicle node that has its patch.
struct Scene {
    node: TestNode,
    other: Other,
    bin: PathBuf,
    rid: String,
    patch: String,
}

impl Scene {
    /// `None` where a part is missing.
    async fn start(test: &str) -> Option<Self> {
        let (image, bin) = (parts::docker_image(test)?, parts::radicle(test)?);
        let port = free_port();
        let forge = format!("backend = \"radicle\"\nradicle_bin = {bin:?}\nlisten = \"127.0.0.1:{port}\"");
        let node = TestNode::start(&Runs::Docker(image), &forge, "").await;
        prepare(&node.project());
        let (adapter, verify) = (Some("command".to_owned()), Some(vec!["test -f made".to_owned()]));
        node.submit(&["T001"], TaskOptions { adapter, verify, ..TaskOptions::default() }).await;
        node.until("verdict", |e| e.what == "verified").await;
        let rid = node.handle().snapshot(Filter::default()).await.unwrap().projects[0].repository.clone();
        let patch = node.task("T001").await.patch.unwrap().id.unwrap().to_string();
        let nid = own(&node, &bin, &["node", "status", "--only", "nid"]);
        let other = Other::start(&bin, &format!("{nid}@127.0.0.1:{port}")).await;
        let seed = ["seed", &rid, "--scope", "all", "--from", &nid];
        eventually("the repository on the other node", || other.tried(&seed).ok()).await;
        let cob = ["cob", "show", "--repo", &rid, "--type", "xyz.radicle.patch", "--object", &patch];
        eventually("the patch on the other node", || other.tried(&cob).ok()).await;
        Some(Self { node, other, bin, rid, patch })
    }

    fn did(&self) -> String {
        format!("did:key:{}", self.other.rad(&["node", "status", "--only", "nid"]))
    }

    /// The other node may merge from now on; it learns of it with the next thing it is told.
    fn delegate(&self) {
        let did = self.did();
        let known =
            ["id", "update", "--repo", &self.rid, "--title", "a reviewer", "--description", "may merge"];
        own(
            &self.node,
            &self.bin,
            &[&known[..], &["--delegate", &did, "--threshold", "1", "--no-confirm"]].concat(),
        );
    }

    fn comment(&self, text: &str) {
        self.other.rad(&["patch", "comment", "--repo", &self.rid, &self.patch, "-m", text]);
    }

    fn git(&self, args: &[&str]) {
        self.other.git(args).unwrap_or_else(|e| panic!("git {args:?}: {e}"));
    }

    /// Gets the revision with `head` there, with plain git, while the patch is open.
    async fn fetch(&self, head: &str) {
        let (url, name) = (self.rid.replace("rad:", "rad://"), format!("refs/heads/patches/{}", self.patch));
        let there = || self.other.git(&["ls-remote", &url, &name]).ok().filter(|refs| refs.starts_with(head));
        eventually("that revision on the other node", there).await;
        self.git(&["clone", "-q", &url, "work"]);
        self.git(&["-C", "work", "fetch", "-q", &url, &name]);
    }

    /// Merges it there.
    async fn merge(&self, head: &str) {
        let did = self.did();
        let seen =
            || self.other.tried(&["inspect", "--delegates", &self.rid]).ok().filter(|d| d.contains(&did));
        eventually("the delegate on the other node", seen).await;
        self.git(&["-C", "work", "merge", "-q", "--no-ff", "-m", "Merge T001 by hand", head]);
        let push = format!("{}/{}", self.rid.replace("rad:", "rad://"), did.trim_start_matches("did:key:"));
        self.git(&["-C", "work", "push", "-q", &push, "HEAD:refs/heads/main"]);
    }

    async fn ticked(&self) {
        self.node.until("ticked box", |e| e.what == "ticked").await;
        assert_eq!(self.node.task("T001").await.state, "accepted");
        assert!(project::tasks(&self.node.project()).contains("- [X] T001 "));
        let log = project::git(&self.node.project(), &["log", "--format=%s", "main"]);
        assert!(log.contains("Merge T001 by hand") && !log.contains("T001: Create"), "{log}");
    }
}

/// Gives the project its agent.
fn prepare(project: &Path) {
    let agent = project.join(".ikigai/agent");
    std::fs::create_dir_all(agent.parent().unwrap()).unwrap();
    std::fs::write(&agent, AGENT).unwrap();
    std::fs::set_permissions(&agent, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    project::git(project, &["add", "-A"]);
    project::git(project, &["commit", "-qm", "agent"]);
}

/// `rad`, as the node of ours has it.
fn own(node: &TestNode, bin: &Path, args: &[&str]) -> String {
    let mut rad = Command::new(bin.join("rad"));
    rad.env("RAD_HOME", node.home().join("radicle")).env("RAD_PASSPHRASE", "").stdin(Stdio::null());
    said(rad.args(args)).unwrap_or_else(|e| panic!("rad {args:?}: {e}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_reviewed_and_merged_on_another_radicle_node() {
    let test = "a_patch_is_reviewed_and_merged_on_another_radicle_node";
    let Some(scene) = Scene::start(test).await else { return };
    let node = &scene.node;

    // Nobody knows who this is: it is shown, and that is all.
    scene.comment("name what the package is for");
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
    scene.delegate();
    node.until("verdict of the next turn", |e| e.what == "verified" && e.attempt == Some(2)).await;
    let told = node.events().await.into_iter().find(|e| e.what == "rejected").expect("it is sent back");
    assert_eq!(told.text, "name what the package is for");
    let second = node.task("T001").await.patch.unwrap();
    assert_eq!((second.revision, second.id.unwrap().to_string()), (2, scene.patch.clone()));

    // A merge there is a merge here.
    scene.fetch(&second.head).await;
    scene.merge(&second.head).await;
    scene.ticked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_revision_merged_elsewhere_is_the_result_while_an_agent_still_works() {
    let test = "an_older_revision_merged_elsewhere_is_the_result_while_an_agent_still_works";
    let Some(scene) = Scene::start(test).await else { return };
    let node = &scene.node;
    let first = node.task("T001").await.patch.unwrap();
    assert_eq!(first.revision, 1);
    scene.fetch(&first.head).await;
    scene.delegate();

    // There is nothing to do for the agent: no revision is made of nothing, and the task is where it was.
    scene.comment("thank you");
    node.until("review again", |e| e.what == "unchanged" && e.state == "review").await;
    let now = node.task("T001").await.patch.unwrap();
    assert_eq!((now.revision, now.revisions.len(), &now.head), (1, 1, &first.head));

    // While the agent works on what a reviewer wrote, another one merges what there is.
    scene.comment("stay");
    node.until("the agent of the next turn", |e| e.what == "started" && e.attempt == Some(3)).await;
    scene.merge(&first.head).await;
    scene.ticked().await;
    let task = node.task("T001").await;
    let superseded = task.attempts.iter().find(|a| a.id.number == 3).unwrap();
    assert_eq!(superseded.outcome.as_deref(), Some("superseded"));
    assert_eq!(task.patch.as_ref().unwrap().revision, 1);
    let label = format!("label=dev.ikigai.task={}", task.id);
    let gone = || {
        let list = Command::new("docker").args(["ps", "-q", "--filter", &label]).output().unwrap();
        Some(()).filter(|()| list.stdout.is_empty())
    };
    eventually("end of the agent", gone).await;
}
