//! The git forge: the suite, and what two nodes see of one shared repository.

use crate::support::*;
use ikigai_git::{GitForge, GitWorkspaces, Place};
use ikigai_ports::forge::Mark;
use ikigai_ports::testsuite::forge::{Scene, patch, suite};
use ikigai_ports::{Forge, PortError, Workspaces};
use ikigai_types::Commit;

fn scene<'a>(world: &'a World, forge: &'a GitForge, checkout: &'a std::path::Path) -> Scene<'a> {
    let project = world.project.clone();
    Scene { forge, workspaces: &world.spaces, signer: &world.signer, project, checkout }
}

#[tokio::test]
async fn a_folder_of_repositories_is_a_forge() {
    let (world, _) = World::new(&[("a", "0\n")]).await;
    let forge = GitForge::new(world.dir.path().join("node")).unwrap();
    suite(&scene(&world, &forge, &world.checkout())).await;
}

#[tokio::test]
async fn a_repository_that_is_there_is_a_forge() {
    let (world, _) = World::new(&[("a", "0\n")]).await;
    let shared = world.dir.path().join("shared.git");
    std::fs::create_dir(&shared).unwrap();
    git(&shared, &["init", "-q", "--bare", "-b", "main"]);
    let place = Place::Remote(format!("file://{}", shared.display()));
    let forge = GitForge::at(world.spaces.copies().clone(), place);
    suite(&scene(&world, &forge, &world.checkout())).await;
    // Also where references can be let go, which takes the project once more.
    let head = git(&world.bare(), &["rev-parse", "refs/heads/main"]);
    for n in 0..40 {
        git(&world.bare(), &["update-ref", &format!("refs/ikigai/objects/{n}"), &head]);
    }
    let listed = tokio::time::timeout(std::time::Duration::from_secs(60), forge.list(&world.project)).await;
    assert!(!listed.unwrap().unwrap().is_empty());
    assert_eq!(git(&world.bare(), &["for-each-ref", "refs/ikigai/objects"]), "");
}

#[tokio::test]
async fn what_was_merged_elsewhere_is_merged_though_the_checkout_went_on() {
    let (world, base) = World::new(&[("a", "0\n")]).await;
    let place = Place::Folder(world.dir.path().join("forge"));
    let forge = GitForge::at(world.spaces.copies().clone(), place);
    let checkout = world.checkout();
    let scene = scene(&world, &forge, &checkout);
    forge.adopt(&world.project, &checkout).await.unwrap();
    let (first, id) = patch(&scene, "T001", 1, &base, "b", "1\n").await;
    let (second, _) = patch(&scene, "T001", 2, &base, "b", "2\n").await;
    let (aside, other) = patch(&scene, "T002", 1, &base, "c", "3\n").await;
    for _ in 0..2 {
        forge.comment(&world.project, &id, "VERIFIED").await.unwrap();
    }

    let shared = world.dir.path().join("forge/shop.git");
    let work = world.dir.path().join("work");
    git(world.dir.path(), &["clone", "-q", &shared.display().to_string(), "work"]);
    git(&work, &["fetch", "-q", "origin", "+refs/*:refs/seen/*"]);
    git(&work, &["merge", "-q", "--no-ff", "-m", "by hand", &first.head.0]);
    git(&work, &["push", "-q", "origin", "HEAD:refs/heads/main"]);
    let merged = git(&work, &["rev-parse", "HEAD"]);
    let listed = forge.list(&world.project).await.unwrap();
    let listed = listed.iter().find(|p| p.id == id).unwrap();
    assert_eq!((listed.landed.as_ref(), &listed.head), (Some(&first.head), &second.head));

    git(&checkout, &["commit", "-q", "--allow-empty", "-m", "not published"]);
    world.spaces.import(&world.project, &checkout, None).await.unwrap();
    let text = ikigai_ports::forge::PatchText { title: "merge".into(), body: String::new() };
    let found = forge.merge(&world.project, &id, &first.head, &text, &world.signer).await.unwrap();
    assert_eq!(found.0, merged, "it is merged, whatever else there is");
    let apart = forge.merge(&world.project, &other, &aside.head, &text, &world.signer).await.unwrap_err();
    assert!(matches!(apart, PortError::Refused(_)), "that is no conflict of the change: {apart:?}");
    let log = git(&shared, &["log", "--format=%s", &format!("refs/ikigai/meta/{id}")]);
    assert_eq!(log, "marked as merged\nVERIFIED\nrevision 2\nopened as a draft");
}

#[tokio::test]
async fn two_nodes_share_one_repository() {
    let (world, base) = World::new(&[("a", "0\n")]).await;
    let place = Place::Folder(world.dir.path().join("forge"));
    let forge = GitForge::at(world.spaces.copies().clone(), place.clone());
    let checkout = world.checkout();
    let scene = scene(&world, &forge, &checkout);
    forge.adopt(&world.project, &checkout).await.unwrap();
    let (change, id) = patch(&scene, "T001", 1, &base, "a", "1\n").await;

    let other = GitWorkspaces::new(world.dir.path().join("other"), AGENT).unwrap();
    other.import(&world.project, &checkout, None).await.unwrap();
    let theirs = GitForge::at(other.copies().clone(), place);
    let seen = theirs.list(&world.project).await.unwrap();
    assert_eq!((seen.len(), &seen[0].id, &seen[0].head), (1, &id, &change.head));
    theirs.mark(&world.project, &id, Mark::Ready).await.unwrap();
    theirs.comment(&world.project, &id, "from the other node").await.unwrap();
    let text = ikigai_ports::forge::PatchText { title: "merge".into(), body: String::new() };
    let merged = theirs.merge(&world.project, &id, &change.head, &text, &world.signer).await.unwrap();
    assert_eq!(forge.list(&world.project).await.unwrap()[0].state, "merged");
    assert_eq!(forge.merge(&world.project, &id, &change.head, &text, &world.signer).await.unwrap(), merged);
    let log = git(
        &world.dir.path().join("forge/shop.git"),
        &["log", "--format=%s", &format!("refs/ikigai/meta/{id}")],
    );
    assert_eq!(log, "marked as merged\nfrom the other node\nmarked as open\nopened as a draft");
}

#[tokio::test]
async fn a_shared_repository_with_objects_of_its_own_borrows_from_then_on() {
    let (world, base) = World::new(&[("a", "0\n")]).await;
    let node = world.dir.path().join("node");
    let forge = GitForge::new(node.clone()).unwrap();
    let checkout = world.checkout();
    let scene = scene(&world, &forge, &checkout);
    forge.adopt(&world.project, &checkout).await.unwrap();
    let (_, id) = patch(&scene, "T001", 1, &base, "a", "1\n").await;
    let shared = node.join("forge/shop.git");
    let lent = std::fs::read_to_string(shared.join("objects/info/alternates")).unwrap();
    // As one is that was made before anything was lent.
    git(&shared, &["repack", "-q", "-a", "-d"]);
    std::fs::remove_file(shared.join("objects/info/alternates")).unwrap();
    git(&shared, &["fsck", "--strict"]);
    patch(&scene, "T001", 2, &base, "b", "2\n").await;
    forge.comment(&world.project, &id, "VERIFIED").await.unwrap();
    assert_eq!(std::fs::read_to_string(shared.join("objects/info/alternates")).unwrap(), lent);
    git(&shared, &["fsck", "--strict"]);
    // Whoever cleans up the copy takes nothing away that the shared repository has from it, and it may be moved.
    git(&world.bare(), &["gc", "-q", "--prune=now"]);
    std::fs::rename(&node, world.dir.path().join("moved")).unwrap();
    let shared = world.dir.path().join("moved/forge/shop.git");
    git(&shared, &["fsck", "--strict"]);
    git(world.dir.path(), &["clone", "-q", &shared.display().to_string(), "work"]);
}

#[tokio::test]
async fn what_is_only_read_waits_for_nobody_who_writes() {
    let (world, base) = World::new(&[("a", "0\n")]).await;
    let forge = GitForge::new(world.dir.path().join("node")).unwrap();
    let checkout = world.checkout();
    let scene = scene(&world, &forge, &checkout);
    forge.adopt(&world.project, &checkout).await.unwrap();
    let (_, id) = patch(&scene, "T001", 1, &base, "a", "1\n").await;
    forge.mark(&world.project, &id, Mark::Ready).await.unwrap();
    let _held = world.spaces.copies().hold(&world.project).await.unwrap();
    forge.mark(&world.project, &id, Mark::Ready).await.unwrap();
    assert_eq!(forge.list(&world.project).await.unwrap()[0].state, "open");
}

#[tokio::test]
async fn a_repository_that_is_away_is_said_to_be() {
    let (world, _) = World::new(&[("a", "0\n")]).await;
    let place = Place::Remote(world.dir.path().join("nowhere").display().to_string());
    let forge = GitForge::at(world.spaces.copies().clone(), place);
    let away = forge.adopt(&world.project, &world.checkout()).await.unwrap_err();
    assert!(matches!(&away, PortError::Unavailable { .. }), "{away:?}");
    // A command is no place.
    let canary = world.dir.path().join("canary");
    let place = Place::Remote(format!("ext::touch {}", canary.display()));
    let forge = GitForge::at(world.spaces.copies().clone(), place);
    assert!(forge.adopt(&world.project, &world.checkout()).await.is_err());
    assert!(!canary.exists());
}

#[tokio::test]
async fn a_history_that_is_not_whole_hides_no_others_merge() {
    let (world, base) = World::new(&[("a", "0\n")]).await;
    let copies = world.spaces.copies();
    let bare = copies.path(&world.project);
    let tree = git(&bare, &["rev-parse", &format!("{}^{{tree}}", base.0)]);
    let text = format!(
        "tree {tree}\nparent {}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nhalf\n",
        "1".repeat(40)
    );
    let file = world.dir.path().join("half");
    std::fs::write(&file, text).unwrap();
    let half = Commit(git(&bare, &["hash-object", "-t", "commit", "-w", &file.display().to_string()]));
    let unknown = Commit("2".repeat(40));
    let found = copies.contained(&world.project, &[half, unknown, base.clone()], &base).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [base]);
}
