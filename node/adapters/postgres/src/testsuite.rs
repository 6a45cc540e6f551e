//! A PostgreSQL server of a test's own: in a temporary folder, on a Unix socket, gone with the test.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)] // It is part of tests: it fails by panicking.

use crate::PostgresOptions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to answer.
const START: Duration = Duration::from_secs(30);

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Why there can be none, if that is so.
    pub fn missing() -> Option<String> {
        programs().is_none().then(|| "no PostgreSQL server (install postgresql)".to_owned())
    }

    /// Makes and starts one.
    pub fn start() -> Self {
        let programs = programs().unwrap();
        let folder = tempfile::Builder::new().prefix("ikigai-pg").tempdir().unwrap();
        // The server refuses to be root, and must get into its folder.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut server = Self { folder, programs, child: None };
        let mut init = server.program("initdb");
        init.arg("-D").arg(server.data()).args(["-A", "trust", "-U", "ikigai", "--no-sync"]);
        let made = init.output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.up();
        server
    }

    /// Starts it, and waits until it answers.
    pub fn up(&mut self) {
        let began = Instant::now();
        while !self.is_ready() {
            assert!(began.elapsed() < START, "PostgreSQL does not answer");
            // It does not start while processes of one that was killed are still there.
            if self.child.as_mut().is_none_or(|c| c.try_wait().unwrap().is_some()) {
                self.child = Some(self.spawn());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_ready(&self) -> bool {
        self.program("pg_isready").arg("-q").arg("-h").arg(self.folder.path()).status().unwrap().success()
    }

    fn spawn(&self) -> Child {
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        postgres.args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0777"]);
        postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Its children follow by themselves once their parent is gone.
            child.kill().unwrap();
            child.wait().unwrap();
            let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
        }
    }

    /// What a node writes into its configuration.
    pub fn address(&self) -> String {
        format!("host={} user=ikigai dbname=postgres", self.folder.path().display())
    }

    /// The same as options.
    pub fn options(&self) -> PostgresOptions {
        PostgresOptions { address: self.address(), password: None, authority: None }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of its programs, run by who may run it.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let is_root =
            std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
        if !is_root {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command.current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder with the newest server's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|v| Some(v.ok()?.path().join("bin")));
    let complete =
        |f: &PathBuf| ["initdb", "postgres", "pg_isready"].iter().all(|p| Path::new(f).join(p).is_file());
    folders.filter(complete).max()
}
