//! A browser comes in by a certified identity provider that runs on loopback.

use crate::dashboard::{browser, script};
use crate::node::{NodeProcess, Runs, turn};
use crate::{parts, project};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The provider, for a node whose people come back to `redirect`; its address.
async fn provider(folder: &str, redirect: &str) -> (Child, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/adapters/oidc/tests/oidc/provider.mjs");
    let mut command = Command::new("node");
    command.arg(script).args([folder, redirect]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    (child, format!("http://127.0.0.1:{line}"))
}

async fn user(node: &NodeProcess, line: &str) {
    let mut command = Command::new(parts::built("ikigai"));
    let out =
        command.arg("--home").arg(node.home()).arg("user").args(line.split(' ')).output().await.unwrap();
    assert!(out.status.success(), "{line}: {out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_the_provider_knows_comes_in_when_the_node_does_too() {
    let test = "who_the_provider_knows_comes_in_when_the_node_does_too";
    let Some(()) = browser(test) else { return };
    let Ok(folder) = std::env::var("IKIGAI_OIDC_PROVIDER") else {
        return parts::missing(test, "IKIGAI_OIDC_PROVIDER is not set", "IKIGAI_REQUIRE_BROWSER");
    };
    let _turn = turn().await;
    let runs = Runs::Process(PathBuf::from("/nonexistent"));
    let model = project::feature().join("model.toml");
    let prepare = |more: &str| NodeProcess::prepare("oidc", &runs, "backend = \"git\"", more, &model);
    let mut node = prepare("[mesh]\nlisten = []");
    let base = format!("http://{}", node.http());
    let (_provider, issuer) = provider(&folder, &format!("{base}/login")).await;
    let secret = node.project().join("client-secret");
    std::fs::write(&secret, "a secret of the test\n").unwrap();
    node = node.with(&format!(
        "[oidc]\nname = \"the club\"\nissuer = {issuer:?}\nclient_id = \"ikigai\"\nredirect = \"{base}/login\"\n\
         client_secret = \"file:{}\"",
        secret.display()
    ));
    node.up().await;
    let mut page = script("oidc.cjs", &[&base, "the club"]);
    let mut lines = BufReader::new(page.stdout.take().unwrap()).lines();
    let said = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the script said nothing at its end");
            let said: serde_json::Value =
                serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            match said["step"].as_str() {
                Some("unknown") => user(&node, "add eve --role viewer --oidc email:eve@example.org").await,
                Some("in") => user(&node, "rm eve").await,
                _ => return said,
            }
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(120), said).await.expect("the browser hangs");
    assert_eq!(said["ok"], true, "{said}\n{}", node.log_text());
    assert!(said["axe"].as_array().is_none_or(Vec::is_empty), "{said}");
    assert!(!node.log_text().contains("a secret of the test"));
}
