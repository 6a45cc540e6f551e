//! A home, a project, a pretending node behind a socket, and the program run in the midst of them.

use ikigai_http::{Api, ApiOptions, AuthOptions, Listener};
use ikigai_ports::testsuite::fake_node::FakeNode;
use ikigai_types::Timestamp;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) struct Scene {
    pub(crate) fake: FakeNode,
    pub(crate) dir: TempDir,
    runtime: tokio::runtime::Runtime,
    stop: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
}

impl Scene {
    /// The shop, served.
    pub(crate) fn shop() -> Self {
        let mut scene = Self::alone();
        scene.fake = FakeNode::shop(now(), &scene.project().display().to_string());
        scene.serve();
        scene
    }

    /// A node without tasks, served.
    pub(crate) fn empty() -> Self {
        let mut scene = Self::alone();
        scene.serve();
        scene
    }

    /// No node at all.
    pub(crate) fn alone() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("shop/.specify")).unwrap();
        std::fs::create_dir_all(dir.path().join("shop/specs/001-shop")).unwrap();
        std::fs::create_dir_all(dir.path().join("home")).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { fake: FakeNode::empty(now()), dir, runtime, stop: CancellationToken::new(), served: None }
    }

    pub(crate) fn serve(&mut self) {
        let auth = AuthOptions { token: None, hosts: Vec::new() };
        let api = Api::new(Arc::new(self.fake.clone()), ApiOptions { auth, fallback: None });
        let socket = self.dir.path().join("home/ikigai.sock");
        let listener = self.runtime.block_on(Listener::unix(&socket)).unwrap();
        self.stop = CancellationToken::new();
        self.served = Some(self.runtime.spawn(api.serve(vec![listener], self.stop.clone())));
    }

    /// The node goes away, its streams are cut.
    pub(crate) fn unserve(&mut self) {
        self.stop.cancel();
        if let Some(served) = self.served.take() {
            self.runtime.block_on(served).unwrap();
        }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.dir.path().join("shop")
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ikigai"));
        command.args(words(line)).current_dir(self.project()).stdin(Stdio::null());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.dir.path()).env("IKIGAI_HOME", self.dir.path().join("home"));
        command
    }

    /// Runs `ikigai <line>` and shows all that came of it.
    pub(crate) fn run(&self, line: &str) -> String {
        self.show(line, &self.command(line).output().unwrap())
    }

    pub(crate) fn show(&self, line: &str, out: &Output) -> String {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut shown = format!("$ ikigai {line}\n{}", text(&out.stdout));
        shown.extend(text(&out.stderr).lines().map(|l| format!("2> {l}\n")));
        shown.push_str(&format!("[exit {}]\n", out.status.code().unwrap_or(-1)));
        self.redact(&shown)
    }

    /// Several commands, one after the other.
    pub(crate) fn all(&self, lines: &[&str]) -> String {
        lines.iter().map(|l| self.run(l)).collect::<Vec<_>>().join("\n")
    }

    /// Takes out what differs from run to run: paths, times, ids of requests.
    fn redact(&self, text: &str) -> String {
        let text = text.replace(&self.dir.path().display().to_string(), "[dir]");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let digits = rest[at..].bytes().take_while(u8::is_ascii_digit).count();
            out.push_str(&rest[..at]);
            out.push_str(if digits == 13 { "[ms]" } else { &rest[at..at + digits] });
            rest = &rest[at + digits..];
        }
        out.push_str(rest);
        hide_clocks(&hide_request_ids(&out))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.unserve();
    }
}

/// `15:38:20` becomes `[clock]`.
fn hide_clocks(text: &str) -> String {
    let is_clock = |word: &str| {
        let parts: Vec<_> = word.split(':').collect();
        parts.len() == 3 && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_digit()))
    };
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let bare = word.trim_end_matches([' ', '\n']);
        if is_clock(bare) { word.replace(bare, "[clock]") } else { word.to_owned() }
    });
    words.collect()
}

fn hide_request_ids(text: &str) -> String {
    let mut parts = text.split("\"requestId\":\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        let rest = part.split_once('"').map_or("", |(_, rest)| rest);
        format!("{out}\"requestId\":\"[id]\"{rest}")
    })
}

/// The words of a command line; quotes keep spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap())
}
