//! A person's checkout, a node's folder and a key to sign with.

use ikigai_git::GitWorkspaces;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortResult, Signer, Workspaces};
use ikigai_types::{AttemptId, Epoch, Fence, ProjectId, TaskId};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Who workspaces are given to in tests that run as root.
pub const AGENT: u32 = 10001;

#[derive(Debug)]
pub struct TestSigner(Ed25519KeyPair);

impl TestSigner {
    pub fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }
}

impl Signer for TestSigner {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    fn sign(&self, message: &[u8]) -> PortResult<[u8; 64]> {
        Ok(self.0.sign(message).as_ref().try_into().unwrap())
    }
}

pub struct World {
    pub dir: TempDir,
    pub project: ProjectId,
    pub spaces: GitWorkspaces,
    pub signer: TestSigner,
}

impl World {
    /// A checkout with one commit of `files`, imported.
    pub async fn new(files: &[(&str, &str)]) -> (Self, Commit) {
        let dir = tempfile::tempdir().unwrap();
        // The workload user passes through to its workspace.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let checkout = dir.path().join("checkout");
        std::fs::create_dir(&checkout).unwrap();
        git(&checkout, &["init", "-q", "-b", "main"]);
        for (path, text) in files {
            write(&checkout, path, text);
        }
        git(&checkout, &["add", "-A", "-f"]);
        git(&checkout, &["commit", "-q", "-m", "first"]);
        let spaces = GitWorkspaces::new(dir.path().join("node"), AGENT).unwrap();
        let project = ProjectId::new("shop").unwrap();
        let base = spaces.import(&project, &checkout, None).await.unwrap();
        (Self { dir, project, spaces, signer: TestSigner::new(7) }, base)
    }

    pub fn checkout(&self) -> PathBuf {
        self.dir.path().join("checkout")
    }

    pub fn bare(&self) -> PathBuf {
        self.spaces.copies().path(&self.project)
    }

    pub async fn create(&self, fence: &Fence, base: &Commit) -> PathBuf {
        self.spaces.create(&self.project, fence, base).await.unwrap()
    }
}

pub fn fence(task: &str, number: u32, epoch: u64) -> Fence {
    Fence { attempt: AttemptId { task: TaskId::new(task).unwrap(), number }, epoch: Epoch(epoch) }
}

pub fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What git prints in `dir` as the person (or the agent) would run it.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let out = command(dir, args).output().unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
}

/// Whether git ends well in `dir`.
pub fn git_fails(dir: &Path, args: &[&str]) -> String {
    let out = command(dir, args).output().unwrap();
    assert!(!out.status.success(), "git {args:?} should have failed");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// Runs git in `dir`, however it ends.
pub fn git_anyway(dir: &Path, args: &[&str]) -> std::process::Output {
    command(dir, args).output().unwrap()
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", "/nowhere");
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*");
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "Person")
            .env(format!("GIT_{who}_EMAIL"), "person@example.invalid");
    }
    command
}

/// Commits everything in `workspace` as the agent.
pub fn commit_all(workspace: &Path, message: &str) {
    git(workspace, &["add", "-A"]);
    git(workspace, &["-c", "user.name=Ikigai agent", "commit", "-q", "-m", message]);
}
