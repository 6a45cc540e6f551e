//! The command line's manual: each page of `tests/cli` is run against a node that pretends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ikigai_http::{Api, ApiOptions, AuthOptions, Listener};
use ikigai_ports::testsuite::fake_node::FakeNode;
use ikigai_tests::manual::{self, Session};
use ikigai_types::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// The program of this build, beside the test's own.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let program = own.parent().and_then(Path::parent).unwrap().join("ikigai");
    assert!(program.is_file(), "{} is not built; run: cargo build -p ikigai-cli", program.display());
    program
}

/// Runs one page with a home, a project and a node of its own.
async fn run(page: &Path) -> Vec<String> {
    let folder = tempfile::Builder::new().prefix("ikigai-manual").tempdir().unwrap();
    let shop = folder.path().join("shop");
    std::fs::create_dir_all(shop.join(".specify")).unwrap();
    std::fs::create_dir_all(shop.join("specs/001-shop")).unwrap();
    std::fs::create_dir_all(folder.path().join("home")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let fake = FakeNode::shop(Timestamp(now.try_into().unwrap()), shop.to_str().unwrap());
    let auth = AuthOptions { token: None, hosts: Vec::new() };
    let api = Api::new(Arc::new(fake), ApiOptions { auth, fallback: None });
    let socket = Listener::unix(&folder.path().join("home/ikigai.sock")).await.unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(api.serve(vec![socket], stop.clone()));
    let place = folder.path().display().to_string();
    let (page, bin) = (page.to_owned(), program());
    let regenerate = std::env::var_os("IKIGAI_REGENERATE").is_some();
    let wrong = tokio::task::spawn_blocking(move || {
        let path = format!("{}:{}", bin.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let env = vec![("PATH", path), ("HOME", place.clone()), ("IKIGAI_HOME", format!("{place}/home"))];
        manual::run(&page, &Session { folder: &shop, env, hide: vec![(place.clone(), "~")] }, regenerate)
    });
    let wrong = wrong.await.unwrap();
    stop.cancel();
    serving.await.unwrap();
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_runs_as_it_stands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli");
    let mut pages: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    pages.retain(|p| p.extension().is_some_and(|e| e == "md"));
    pages.sort();
    assert!(pages.len() >= 5, "only {} pages", pages.len());
    let mut wrong = Vec::new();
    for page in &pages {
        wrong.extend(run(page).await);
    }
    assert!(
        wrong.is_empty(),
        "\n{}\nif this is right, run: IKIGAI_REGENERATE=1 cargo test -p ikigai-tests --test cli",
        wrong.join("\n")
    );
}
