//! A node as people start it: the release build of `ikigai up`, in a folder of its own.
#![allow(dead_code)] // Each bench takes what it needs.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A node that runs.
pub struct Up {
    child: Child,
    home: PathBuf,
    /// From `exec` to the line that says it is ready.
    pub took: Duration,
}

impl Up {
    /// Starts it in `folder`, whose part `home` is its own, and waits until it is ready.
    pub fn start(folder: &Path, config: &str) -> Self {
        let (file, home, log) = (folder.join("ikigai.toml"), folder.join("home"), folder.join("node.log"));
        std::fs::write(&file, config).unwrap();
        let stderr = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(program());
        command.arg("--home").arg(&home).arg("up").arg("--config").arg(&file).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line.starts_with("ready "));
        let node = Self { child, home, took: start.elapsed() };
        assert!(ready, "the node does not start:\n{}", std::fs::read_to_string(log).unwrap_or_default());
        node
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) {
        // It is ready a moment before it listens to signals; one that is sent then would end it at once.
        while !catches_term(self.id()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "the node did not stop well");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Whether the process has a handler for SIGTERM, as the kernel shows it.
fn catches_term(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << 14) != 0
}

/// The program beside this one: built by `cargo build --release -p ikigai-cli`.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let program = own.parent().and_then(Path::parent).unwrap().join("ikigai");
    assert!(program.is_file(), "{} is not built: cargo build --release -p ikigai-cli", program.display());
    program
}

/// An address on which nobody listens now.
pub fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
