//! What the tests run on, and saying so when it is not there.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A part is missing: a failure where it is required, a printed skip elsewhere.
///
/// # Panics
/// When it is required.
pub fn missing(test: &str, part: &str, required: &str) {
    let text = format!("SKIPPED {test}: {part} (run: make setup)");
    assert!(std::env::var(required).as_deref() != Ok("1"), "{text}");
    // Not by the macro: what a test prints with it is shown only when the test fails.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether `test` runs as root, as it must to make users, namespaces and the like.
///
/// # Panics
/// When it does not and `IKIGAI_REQUIRE_ROOT=1` says that it does.
pub fn root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        missing(test, "it wants root", "IKIGAI_REQUIRE_ROOT");
    }
    root
}

/// A program of this build, beside the test's own.
///
/// # Panics
/// When it was not built.
pub fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is not built; run: cargo build -p ikigai-cli -p ikigai-agentd",
        program.display()
    );
    program
}

/// The agent image by digest, when Docker answers.
pub fn docker_image(test: &str) -> Option<String> {
    let image = std::env::var("IKIGAI_AGENT_IMAGE").ok().filter(|i| !i.is_empty());
    let engine = std::os::unix::net::UnixStream::connect("/var/run/docker.sock").is_ok();
    match (image, engine) {
        (Some(image), true) => Some(image),
        (None, _) => {
            missing(test, "IKIGAI_AGENT_IMAGE is not set", "IKIGAI_REQUIRE_DOCKER");
            None
        }
        (_, false) => {
            missing(test, "no Docker engine answers", "IKIGAI_REQUIRE_DOCKER");
            None
        }
    }
}

/// The folder with the Codex CLI for agents that run as processes.
pub fn codex(test: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("IKIGAI_CODEX_BIN").map(PathBuf::from).filter(|f| f.join("codex").is_file());
    let bubblewrap = Path::new("/usr/bin/bwrap").is_file();
    if folder.is_none() {
        missing(test, "IKIGAI_CODEX_BIN does not name a folder with codex", "IKIGAI_REQUIRE_SANDBOX");
    } else if !bubblewrap {
        missing(test, "bubblewrap is not installed", "IKIGAI_REQUIRE_SANDBOX");
    }
    folder.filter(|_| bubblewrap)
}

/// The folder with the Radicle programs.
pub fn radicle(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("IKIGAI_RADICLE_BIN").map(PathBuf::from);
    let folder = folder.filter(|f| f.join("radicle-node").is_file());
    if folder.is_none() {
        missing(
            test,
            "IKIGAI_RADICLE_BIN does not name a folder with radicle-node",
            "IKIGAI_REQUIRE_RADICLE",
        );
    }
    folder
}
