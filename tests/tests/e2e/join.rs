//! Machines come into a mesh by a token and go out of it by a command, as a person does both.

use crate::mesh::until_alive;
use crate::node::{NodeProcess, Runs, turn};
use crate::{parts, project};
use std::path::PathBuf;
use tokio::process::Command;

/// What a command printed, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

async fn ikigai(node: &NodeProcess, args: &[&str]) -> Said {
    let mut command = Command::new(parts::built("ikigai"));
    command.arg("--home").arg(node.home()).args(args);
    let out = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    Said { code: out.status.code(), out: text(out.stdout), err: text(out.stderr) }
}

async fn node(name: &str) -> NodeProcess {
    // None of them gets work.
    let runs = Runs::Process(PathBuf::from("/nonexistent"));
    let mesh =
        "[mesh]\nlisten = [\"/ip4/127.0.0.1/tcp/0\", \"/ip4/127.0.0.1/udp/0/quic-v1\"]\nmdns = false\n";
    let script = project::feature().join("model.toml");
    let mut node = NodeProcess::prepare(name, &runs, "backend = \"git\"", mesh, &script);
    node.up().await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_one_machine_in_once_and_a_removed_one_stays_out() {
    let _turn = turn().await;
    let (laptop, mut server, third) = (node("laptop").await, node("server").await, node("third").await);
    let token = ikigai(&laptop, &["invite", "-o", "name"]).await.out;
    assert!(token.starts_with("ik1_"), "{token}");

    let joined = ikigai(&server, &["join", &token]).await;
    assert_eq!(joined.out, "joined the mesh of laptop: 2 machines; see: ikigai node ls", "{}", joined.err);
    let again = ikigai(&third, &["join", &token]).await;
    assert_eq!((again.code, again.out.as_str()), (Some(5), ""), "{}", again.err);
    assert!(again.err.contains("used already") && again.err.contains("ikigai invite"), "{}", again.err);
    let revoked = ikigai(&laptop, &["invite", "-o", "json"]).await.out;
    let revoked: serde_json::Value = serde_json::from_str(&revoked).unwrap();
    let id = revoked["id"].as_str().unwrap();
    assert_eq!(ikigai(&laptop, &["invite", "revoke", &id[..8]]).await.code, Some(0));
    let late = ikigai(&third, &["join", revoked["token"].as_str().unwrap()]).await;
    assert_eq!(late.code, Some(5), "{}", late.err);

    // Whoever is in lets others in.
    let token = ikigai(&server, &["invite", "-o", "name"]).await.out;
    assert_eq!(ikigai(&third, &["join", &token]).await.code, Some(0));
    for node in [&laptop, &server, &third] {
        until_alive(node, &["laptop", "server", "third"]).await;
    }

    // It finds the others again by what it wrote down.
    server.kill().await;
    server.up().await;
    until_alive(&server, &["laptop", "server", "third"]).await;

    assert_eq!(ikigai(&server, &["node", "rm", "third"]).await.out, "third is out of the mesh");
    until_alive(&laptop, &["laptop", "server"]).await;
    until_alive(&third, &["third"]).await;
    let gone = ikigai(&laptop, &["node", "rm", "third"]).await;
    assert_eq!(gone.code, Some(3), "{}", gone.err);
}
