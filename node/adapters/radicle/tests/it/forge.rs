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

/// `rad` and `git` as somebody else with the node's key has them.
fn by_hand(node: &Node, dir: &std::path::Path, program: &str, args: &[&str]) -> String {
    let path = format!("{}:/usr/bin:/bin", node.bin.display());
    let mut command = std::process::Command::new(program);
    command
        .current_dir(dir)
        .args(args)
        .env("PATH", path)
        .env("RAD_HOME", node.home())
        .env("RAD_PASSPHRASE", "");
    command.env("NO_COLOR", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").stdin(std::process::Stdio::null());
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Person").env(format!("GIT_{who}_EMAIL"), "p@e.invalid");
    }
    let out = command.output().unwrap();
    assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[tokio::test]
async fn what_was_merged_elsewhere_is_merged_though_the_checkout_went_on() {
    let test = "what_was_merged_elsewhere_is_merged_though_the_checkout_went_on";
    let Some(bin) = programs(test) else { return };
    let node = Node::new(&bin, 7);
    let forge = node.start().await;
    let checkout = node.checkout();
    let base = node.spaces.import(&project(), &checkout, None).await.unwrap();
    let known = forge.adopt(&project(), &checkout).await.unwrap();
    let scene = node.scene(&forge, &checkout);
    let (first, id) = patch(&scene, "T001", 1, &base, "b", "1\n").await;
    let (second, _) = patch(&scene, "T001", 2, &base, "b", "2\n").await;
    let (aside, other) = patch(&scene, "T002", 1, &base, "c", "3\n").await;

    let (url, dir) = (known.id.replace("rad:", "rad://"), node.dir.path());
    by_hand(&node, dir, "git", &["clone", "-q", &url, "work"]);
    let work = dir.join("work");
    let copy = node.spaces.copies().path(&project()).display().to_string();
    by_hand(&node, &work, "git", &["fetch", "-q", &copy, "+refs/ikigai/*:refs/seen/*"]);
    by_hand(&node, &work, "git", &["merge", "-q", "--no-ff", "-m", "by hand", &first.head.0]);
    let merged = by_hand(&node, &work, "git", &["rev-parse", "HEAD"]);
    by_hand(&node, &work, "git", &["push", "-q", &format!("{url}/{}", forge.nid()), "HEAD:refs/heads/main"]);

    // An older revision is what landed, and that is what is said.
    let listed = forge.list(&project()).await.unwrap();
    let listed = listed.iter().find(|p| p.id == id).unwrap();
    assert_eq!((listed.landed.as_ref(), &listed.head), (Some(&first.head), &second.head));

    // Meanwhile the person commits something that nobody else has.
    git(&checkout, &["commit", "-q", "--allow-empty", "-m", "not published"]);
    node.spaces.import(&project(), &checkout, None).await.unwrap();
    let text = PatchText { title: "Merge T001".into(), body: String::new() };
    let found = forge.merge(&project(), &id, &first.head, &text, &node.signer).await.unwrap();
    assert_eq!(found.0, merged, "it is merged, whatever else there is");
    let apart = forge.merge(&project(), &other, &aside.head, &text, &node.signer).await.unwrap_err();
    let ikigai_ports::PortError::Refused(advice) = &apart else { panic!("no conflict: {apart:?}") };
    assert!(advice.contains("git pull --no-rebase"), "{advice}");
    forge.stop().await;
}

#[tokio::test]
async fn a_verdict_is_said_of_each_revision_and_a_line_keeps_its_place() {
    let test = "a_verdict_is_said_of_each_revision_and_a_line_keeps_its_place";
    let Some(bin) = programs(test) else { return };
    let node = Node::new(&bin, 8);
    let forge = node.start().await;
    let checkout = node.checkout();
    let base = node.spaces.import(&project(), &checkout, None).await.unwrap();
    let known = forge.adopt(&project(), &checkout).await.unwrap();
    let scene = node.scene(&forge, &checkout);
    let (_, id) = patch(&scene, "T001", 1, &base, "b", "one\ntwo\nthree\n").await;
    for revision in 1..=2 {
        if revision == 2 {
            patch(&scene, "T001", 2, &base, "b", "one\nTWO\nthree\n").await;
        }
        for _ in 0..2 {
            forge.comment(&project(), &id, "VERIFIED").await.unwrap();
        }
        let notes = forge.list(&project()).await.unwrap()[0].notes.clone();
        assert_eq!(notes.iter().filter(|n| n.text == "VERIFIED").count(), revision);
    }

    let head = forge.list(&project()).await.unwrap()[0].head.clone();
    let act = |action: serde_json::Value| {
        let file = node.dir.path().join("action.json");
        std::fs::write(&file, format!("{action}\n")).unwrap();
        let kind = "xyz.radicle.patch";
        let update = ["cob", "update", "--repo", &known.id, "--type", kind, "--object", id.as_str()];
        let file = file.display().to_string();
        by_hand(&node, node.dir.path(), "rad", &[&update[..], &["--message", "a review", &file]].concat())
    };
    let show = ["cob", "show", "--repo", &known.id, "--type", "xyz.radicle.patch", "--object", id.as_str()];
    let shown: serde_json::Value =
        serde_json::from_str(&by_hand(&node, node.dir.path(), "rad", &show)).unwrap();
    let revision = shown["revisions"].as_object().unwrap().iter().find(|(_, r)| r["oid"] == *head.0);
    let revision = revision.unwrap().0;
    let review = act(serde_json::json!({ "type": "review", "revision": revision, "verdict": "reject" }));
    let lines = serde_json::json!({ "type": "lines", "range": { "start": 2, "end": 3 } });
    let location = serde_json::json!({ "commit": head.0, "path": "b", "old": null, "new": lines });
    let comment = act(serde_json::json!(
        { "type": "review.comment", "review": review, "body": "no shouting", "location": location }));
    let said = || async {
        let notes = forge.list(&project()).await.unwrap()[0].notes.clone();
        notes.into_iter().find(|n| n.text == "no shouting").unwrap()
    };
    let note = said().await;
    let place = note.place.clone().unwrap();
    assert_eq!((place.path.as_str(), place.line, place.quote.as_str(), note.asks), ("b", 2, "TWO", true));
    act(serde_json::json!({ "type": "review.comment.resolve", "review": review, "comment": comment }));
    assert!(!said().await.asks, "what is resolved asks for nothing");
    forge.stop().await;
}
