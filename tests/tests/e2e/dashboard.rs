//! The dashboard of a real node in a real browser: a person's day on it, and how much it bears.

use crate::node::{NodeProcess, Runs, TestNode, turn};
use crate::{parts, project};
use ikigai_wire::api::TaskOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Chromium and playwright-core, where they are.
pub fn browser(test: &str) -> Option<()> {
    let is_there = |name: &str| std::env::var_os(name).map(PathBuf::from).is_some_and(|p| p.exists());
    let both = is_there("IKIGAI_CHROMIUM") && is_there("IKIGAI_PLAYWRIGHT");
    if !both {
        let text = "IKIGAI_CHROMIUM and IKIGAI_PLAYWRIGHT do not name a browser and playwright-core";
        parts::missing(test, text, "IKIGAI_REQUIRE_BROWSER");
    }
    both.then_some(())
}

/// A one-time link, as a person gets it.
pub async fn link(node: &NodeProcess) -> String {
    let mut command = Command::new(parts::built("ikigai"));
    command.arg("--home").arg(node.home()).args(["open", "--print"]);
    let out = command.output().await.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let url = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    assert!(url.starts_with("http://127.0.0.1:") && url.contains("/login#"), "{url}");
    url
}

pub fn script(name: &str, args: &[&str]) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/dashboard").join(name);
    let mut command = Command::new("node");
    command.arg(script).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_day_on_the_dashboard() {
    let test = "a_persons_day_on_the_dashboard";
    let (Some(image), Some(())) = (parts::docker_image(test), browser(test)) else { return };
    let mut node = TestNode::start(&Runs::Docker(image), "backend = \"git\"", "").await;
    node.submit(&["T001"], TaskOptions { linger_secs: Some(900), ..TaskOptions::default() }).await;
    let mut day = script("day.cjs", &[&link(&node).await]);
    let mut lines = BufReader::new(day.stdout.take().unwrap()).lines();
    let said = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the script said nothing at its end");
            let said: serde_json::Value =
                serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            match said["step"].as_str() {
                Some("away") => node.kill().await,
                Some("back") => node.up().await,
                _ => return said,
            }
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(240), said).await.expect("the browser hangs");
    println!("{said}");
    assert_eq!(said["ok"], true, "{said}");
    assert_eq!(said["editor"], true, "{said}");
    let is_there = |name: &str| std::env::var_os(name).is_some();
    assert!(!is_there("IKIGAI_AXE") || said["axe"].as_u64() > Some(20), "{said}");
}

/// A node that gets no work and takes part in a mesh.
async fn member(name: &str) -> NodeProcess {
    let mesh = "[mesh]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nmdns = false\n";
    let runs = Runs::Process(PathBuf::from("/nonexistent"));
    let script = project::feature().join("model.toml");
    let mut node = NodeProcess::prepare(name, &runs, "backend = \"git\"", mesh, &script);
    node.up().await;
    node
}

/// Runs the command that the dashboard of another machine shows.
async fn join(node: &NodeProcess, command: &str) {
    let mut join = Command::new(parts::built("ikigai"));
    join.arg("--home").arg(node.home()).args(command.split(' ').skip(1));
    let out = join.output().await.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_let_in_and_taken_out_on_the_dashboard() {
    if browser("a_machine_is_let_in_and_taken_out_on_the_dashboard").is_none() {
        return;
    }
    let _turn = turn().await;
    let (laptop, mut server) = (member("laptop").await, member("server").await);
    let mut access = script("access.cjs", &[&link(&laptop).await, "server"]);
    let mut lines = BufReader::new(access.stdout.take().unwrap()).lines();
    let said = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the script said nothing at its end");
            let said: serde_json::Value =
                serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            match said["step"].as_str() {
                Some("join") => join(&server, said["command"].as_str().unwrap()).await,
                Some("away") => server.kill().await,
                Some("back") => server.up().await,
                _ => return said,
            }
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(180), said).await.expect("the browser hangs");
    assert_eq!(said["ok"], true, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_tasks_and_a_hundred_thousand_lines_are_no_burden() {
    let test = "twenty_thousand_tasks_and_a_hundred_thousand_lines_are_no_burden";
    if browser(test).is_none() {
        return;
    }
    let _turn = turn().await;
    let out = script("scale.cjs", &[]).wait_with_output();
    let out = tokio::time::timeout(Duration::from_secs(180), out).await.expect("the browser hangs").unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    println!("{said}");
    let said: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(said["ok"], true, "{said}");
}

#[tokio::test]
async fn the_site_in_the_program_is_what_its_sources_make() {
    let test = "the_site_in_the_program_is_what_its_sources_make";
    if std::env::var_os("IKIGAI_DASHBOARD").map(PathBuf::from).is_none_or(|p| !p.is_dir()) {
        let text = "IKIGAI_DASHBOARD does not name the npm packages of the dashboard";
        return parts::missing(test, text, "IKIGAI_REQUIRE_BROWSER");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/dashboard.sh");
    let out = Command::new(script).arg("--check").output().await.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}
