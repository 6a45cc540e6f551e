//! The supervised process: it comes back, it ends with us, and nobody else's is touched.

use crate::support::*;
use ikigai_ports::{Forge, PortError, Workspaces};
use ikigai_radicle::{RadicleForge, nid};
use std::time::{Duration, Instant};

fn kill(pid: i32, signal: &str) {
    let done = std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(done.success());
}

#[tokio::test]
async fn a_node_that_was_killed_comes_back() {
    let Some(bin) = programs("a_node_that_was_killed_comes_back") else { return };
    let node = Node::new(&bin, 11);
    let forge = node.start().await;
    forge.address().await.unwrap();
    let [first] = node.processes()[..] else { panic!("one process, not {:?}", node.processes()) };
    kill(first, "-KILL");
    let began = Instant::now();
    let second = loop {
        match node.processes()[..] {
            [pid] if pid != first => break pid,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        assert!(began.elapsed() < Duration::from_secs(20), "not started again");
    };
    assert_ne!(first, second);
    let began = Instant::now();
    while forge.address().await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "not ready again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    forge.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "stopped within its grace");
    assert_eq!(node.processes(), Vec::<i32>::new());
}

#[tokio::test]
async fn what_an_earlier_run_left_is_ended_and_nothing_else() {
    let Some(bin) = programs("what_an_earlier_run_left_is_ended_and_nothing_else") else { return };
    let node = Node::new(&bin, 12);
    let forge = node.start().await;
    forge.address().await.unwrap();
    forge.stop().await;
    drop(forge);
    // As after kill -9 of this program: its Radicle node runs, its note is there, nobody looks after it.
    let mut left = orphan(&node);
    let first = i32::try_from(left.id().unwrap()).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{first}/stat")).unwrap();
    let began = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().to_owned();
    std::fs::write(node.home().join("ikigai/node.pid"), format!("{{\"pid\":{first},\"began\":{began}}}"))
        .unwrap();
    let mut bystander = tokio::process::Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
    let again = node.start().await;
    again.address().await.unwrap();
    assert!(left.try_wait().unwrap().is_some(), "the one that was left is ended");
    assert!(bystander.try_wait().unwrap().is_none());
    again.stop().await;
    // A note on a process whose number someone else has by now ends nobody.
    let pid = bystander.id().unwrap();
    std::fs::write(node.home().join("ikigai/node.pid"), format!("{{\"pid\":{pid},\"began\":1}}")).unwrap();
    let third = node.start().await;
    third.address().await.unwrap();
    assert!(bystander.try_wait().unwrap().is_none());
    third.stop().await;
}

/// A `radicle-node` on the home of `node` that nobody supervises.
fn orphan(node: &Node) -> tokio::process::Child {
    let mut command = tokio::process::Command::new(node.bin.join("radicle-node"));
    command.arg("--force").env("RAD_HOME", node.home()).env("RAD_PASSPHRASE", "");
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.kill_on_drop(true).spawn().unwrap()
}

#[tokio::test]
async fn a_strangers_node_on_our_home_is_left_alone() {
    let Some(bin) = programs("a_strangers_node_on_our_home_is_left_alone") else { return };
    let node = Node::new(&bin, 13);
    let forge = node.start().await;
    forge.stop().await;
    let mut stranger = orphan(&node);
    let socket = node.home().join("node/control.sock");
    let up = async {
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            // Whatever ended it while other nodes start beside it, such as a port that one of them has by now: again.
            if stranger.try_wait().unwrap().is_some() {
                stranger = orphan(&node);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), up).await.expect("the stranger comes up");
    let refused = RadicleForge::start(node.options()).await.unwrap_err();
    assert!(matches!(&refused, PortError::Refused(text) if text.contains("rad node stop")), "{refused:?}");
    assert!(stranger.try_wait().unwrap().is_none(), "it still runs");
    stranger.kill().await.unwrap();
}

#[tokio::test]
async fn the_key_of_the_node_is_its_radicle_identity() {
    let Some(bin) = programs("the_key_of_the_node_is_its_radicle_identity") else { return };
    let node = Node::new(&bin, 14);
    let forge = node.start().await;
    assert_eq!(forge.nid(), nid(&node.signer.node_id()));
    let said = std::process::Command::new(bin.join("rad"))
        .args(["self", "--did"])
        .env("RAD_HOME", node.home())
        .env("RAD_PASSPHRASE", "")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), format!("did:key:{}", forge.nid()));
    forge.stop().await;
    drop(forge);
    let mut options = node.options();
    options.seed = [99; 32];
    let other = RadicleForge::start(options).await.unwrap_err();
    assert!(matches!(&other, PortError::Refused(text) if text.contains("another key")), "{other:?}");
}

#[tokio::test]
async fn missing_programs_are_said_with_what_to_do() {
    let node = Node::new(std::path::Path::new("/nonexistent"), 15);
    let refused = RadicleForge::start(node.options()).await.unwrap_err();
    assert!(
        matches!(&refused, PortError::Refused(text) if text.contains("backend = \"git\"")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_adoption_and_an_opening_that_were_cut_short_find_what_they_made() {
    let Some(bin) = programs("an_adoption_and_an_opening_that_were_cut_short_find_what_they_made") else {
        return;
    };
    let node = Node::new(&bin, 16);
    let forge = node.start().await;
    let checkout = node.checkout();
    let base = node.spaces.import(&project(), &checkout, None).await.unwrap();
    let adopted = forge.adopt(&project(), &checkout).await.unwrap();
    std::fs::remove_file(node.home().join("ikigai/projects").join(project().as_str())).unwrap();
    assert_eq!(forge.adopt(&project(), &checkout).await.unwrap(), adopted);

    let scene = node.scene(&forge, &checkout);
    let (change, id) = ikigai_ports::testsuite::forge::patch(&scene, "T001", 1, &base, "a", "1\n").await;
    // The note was begun, the push arrived, its answer did not.
    let notes = node.home().join("ikigai/patches").join(project().as_str());
    let note = std::fs::read_dir(&notes).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&note, "").unwrap();
    let text = ikigai_ports::forge::PatchText { title: "T001: a change".into(), body: "again".into() };
    let fence = ikigai_types::Fence {
        attempt: ikigai_types::AttemptId {
            task: ikigai_types::TaskId::new("shop.001-cart.T001").unwrap(),
            number: 1,
        },
        epoch: ikigai_types::Epoch(1),
    };
    let again = forge.open(&project(), &fence, None, &change, &text).await.unwrap();
    assert_eq!((again.patch, again.revision), (id, 1));
    assert_eq!(forge.list(&project()).await.unwrap().len(), 1);
    forge.stop().await;
}
