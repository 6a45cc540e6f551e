//! Nodes with a `RAD_HOME` of their own and nobody to dial but each other.

use ikigai_git::GitWorkspaces;
use ikigai_ports::testsuite::forge::Scene;
use ikigai_radicle::{KeySigner, RadicleForge, RadicleOptions};
use ikigai_types::ProjectId;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The folder of Radicle's programs; `None`, with the reason printed, where a test cannot run.
pub fn programs(test: &str) -> Option<PathBuf> {
    let named = std::env::var_os("IKIGAI_RADICLE_BIN").map(PathBuf::from);
    let cached = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/ikigai/radicle/bin"));
    let bin = named.or_else(cached).filter(|bin| bin.join("radicle-node").is_file());
    if bin.is_none() {
        let needed = std::env::var("IKIGAI_REQUIRE_RADICLE").is_ok_and(|v| v == "1");
        assert!(!needed, "{test}: IKIGAI_REQUIRE_RADICLE=1 and no Radicle programs");
        // Not by the macro: what a test prints with it is shown only when the test fails.
        let text = format!("SKIPPED {test}: no Radicle programs (run: make setup)");
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    bin
}

/// One node of a test.
pub struct Node {
    pub dir: TempDir,
    pub bin: PathBuf,
    pub seed: u8,
    pub spaces: GitWorkspaces,
    pub signer: KeySigner,
    pub connect: Vec<String>,
}

impl Node {
    pub fn new(bin: &Path, seed: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let spaces = GitWorkspaces::new(dir.path().join("git"), 10001).unwrap();
        let signer = KeySigner::from_seed([seed; 32]);
        Self { dir, bin: bin.to_owned(), seed, spaces, signer, connect: Vec::new() }
    }

    pub fn options(&self) -> RadicleOptions {
        RadicleOptions {
            bin: Some(self.bin.clone()),
            home: self.home(),
            alias: format!("node {}", self.seed),
            listen: "127.0.0.1:0".parse().unwrap(),
            connect: self.connect.clone(),
            seed: [self.seed; 32],
            workspaces: self.dir.path().join("git"),
        }
    }

    pub fn home(&self) -> PathBuf {
        self.dir.path().join("radicle")
    }

    pub async fn start(&self) -> RadicleForge {
        RadicleForge::start(self.options()).await.unwrap()
    }

    /// A checkout with one commit.
    pub fn checkout(&self) -> PathBuf {
        let checkout = self.dir.path().join("shop");
        if !checkout.exists() {
            std::fs::create_dir(&checkout).unwrap();
            git(&checkout, &["init", "-q", "-b", "main"]);
            std::fs::write(checkout.join("a"), "0\n").unwrap();
            git(&checkout, &["add", "-A"]);
            git(&checkout, &["commit", "-q", "-m", "first"]);
        }
        checkout
    }

    pub fn scene<'a>(&'a self, forge: &'a RadicleForge, checkout: &'a Path) -> Scene<'a> {
        Scene { forge, workspaces: &self.spaces, signer: &self.signer, project: project(), checkout }
    }

    /// Processes of `radicle-node` on this node's home.
    pub fn processes(&self) -> Vec<i32> {
        let own = format!("RAD_HOME={}", self.home().display());
        let running = |pid: &i32| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim() == "radicle-node" && environ.split(|&b| b == 0).any(|v| v == own.as_bytes())
        };
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(running).collect()
    }
}

pub fn project() -> ProjectId {
    ProjectId::new("1f0c2a3b").unwrap()
}

pub fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*");
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "Person")
            .env(format!("GIT_{who}_EMAIL"), "person@example.invalid");
    }
    let out = command.output().unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
}
