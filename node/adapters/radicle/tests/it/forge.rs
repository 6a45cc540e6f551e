//! The forge suite on one node, and what a second node sees.

use crate::support::*;
use ikigai_ports::forge::{Mark, PatchText};
use ikigai_ports::testsuite::forge::{patch, suite};
use ikigai_ports::{Forge, Workspaces};
use std::time::{Duration, Instant};

#[tokio::test]
async fn radicle_is_a_forge() {
    let Some(bin) = programs("radicle_is_a_forge") else { return };
    let node = Node::new(&bin, 1);
    let forge = node.start().await;
    suite(&node.scene(&forge, &node.checkout())).await;
    assert_eq!(git(&node.checkout(), &["remote"]), "", "the person's checkout is as it was");
    forge.stop().await;
}

#[tokio::test]
async fn the_suite_passes_while_the_radicle_node_is_away() {
    let Some(bin) = programs("the_suite_passes_while_the_radicle_node_is_away") else { return };
    let node = Node::new(&bin, 2);
    let forge = node.start().await;
    forge.stop().await;
    assert_eq!(node.processes(), Vec::<i32>::new());
    suite(&node.scene(&forge, &node.checkout())).await;
}

/// Waits until `look` finds what it looks for; another node learns things when it learns them.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            eprintln!("{what}: after {} ms", began.elapsed().as_millis());
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: not within 30 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_patch_is_seen_on_a_second_node_and_its_merge_too() {
    let Some(bin) = programs("a_patch_is_seen_on_a_second_node_and_its_merge_too") else { return };
    let other = Node::new(&bin, 4);
    let theirs = other.start().await;
    let address = theirs.address().await.unwrap();
    let mut node = Node::new(&bin, 3);
    node.connect = vec![address.clone()];
    let forge = node.start().await;
    let checkout = node.checkout();
    let scene = node.scene(&forge, &checkout);
    let base = node.spaces.import(&project(), &checkout, None).await.unwrap();
    let adopted = forge.adopt(&project(), &checkout).await.unwrap();
    assert_eq!(forge.rid(&project()), Some(adopted.id.clone()));
    theirs.seed(&adopted.id, &forge.address().await.unwrap()).await.unwrap();

    let storage = other.home().join("storage").join(adopted.id.trim_start_matches("rad:"));
    let (change, id) = patch(&scene, "T001", 1, &base, "a", "1\n").await;
    let cob = format!("refs/namespaces/{}/refs/cobs/xyz.radicle.patch/{id}", forge.nid());
    let seen = |name: String| {
        let storage = &storage;
        move || {
            let name = name.clone();
            async move {
                let listed = git(storage, &["for-each-ref", "--format=%(objectname)", &name]);
                Some(listed).filter(|l| !l.is_empty())
            }
        }
    };
    until("the patch on the second node", seen(cob.clone())).await;
    let head = format!("refs/namespaces/{}/refs/heads/patches/{id}", forge.nid());
    assert_eq!(until("its head", seen(head)).await, change.head.0);

    // The second node lists it by its own programs, not by ours.
    let shown = std::process::Command::new(bin.join("rad"))
        .args(["patch", "show", "--repo", &adopted.id, id.as_str()])
        .env("RAD_HOME", other.home())
        .env("RAD_PASSPHRASE", "")
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.status.success() && text.contains("T001: a change") && text.contains("draft"), "{text}");

    forge.comment(&project(), &id, "VERIFIED").await.unwrap();
    forge.mark(&project(), &id, Mark::Ready).await.unwrap();
    let text = PatchText { title: "Merge T001".into(), body: String::new() };
    let merged = forge.merge(&project(), &id, &change.head, &text, &node.signer).await.unwrap();
    let canonical = || async {
        let main = git(&storage, &["rev-parse", "refs/heads/main"]);
        Some(main).filter(|main| *main == merged.0)
    };
    until("the merge on the second node", canonical).await;
    let state = || async {
        let show = std::process::Command::new(bin.join("rad"))
            .args([
                "cob",
                "show",
                "--repo",
                &adopted.id,
                "--type",
                "xyz.radicle.patch",
                "--object",
                id.as_str(),
            ])
            .env("RAD_HOME", other.home())
            .env("RAD_PASSPHRASE", "")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&show.stdout).into_owned();
        (text.contains("\"status\":\"merged\"") && text.contains("VERIFIED")).then_some(())
    };
    until("state and comment on the second node", state).await;
    tokio::join!(forge.stop(), theirs.stop());
}

#[tokio::test]
async fn what_was_done_while_the_peer_was_away_arrives_when_it_is_back() {
    let Some(bin) = programs("what_was_done_while_the_peer_was_away_arrives_when_it_is_back") else { return };
    let other = Node::new(&bin, 6);
    let theirs = other.start().await;
    let address = theirs.address().await.unwrap();
    let mut node = Node::new(&bin, 5);
    node.connect = vec![address.clone()];
    let forge = node.start().await;
    let checkout = node.checkout();
    let base = node.spaces.import(&project(), &checkout, None).await.unwrap();
    let adopted = forge.adopt(&project(), &checkout).await.unwrap();
    theirs.seed(&adopted.id, &forge.address().await.unwrap()).await.unwrap();
    theirs.stop().await;
    drop(theirs);

    let (_, id) = patch(&node.scene(&forge, &checkout), "T001", 1, &base, "a", "1\n").await;
    let mut options = other.options();
    options.listen = address.split_once('@').unwrap().1.parse().unwrap();
    let theirs = ikigai_radicle::RadicleForge::start(options).await.unwrap();
    let storage = other.home().join("storage").join(adopted.id.trim_start_matches("rad:"));
    let cob = format!("refs/namespaces/{}/refs/cobs/xyz.radicle.patch/{id}", forge.nid());
    let seen = || async { Some(git(&storage, &["for-each-ref", &cob])).filter(|l| !l.is_empty()) };
    until("the patch on the node that was away", seen).await;
    tokio::join!(forge.stop(), theirs.stop());
}
