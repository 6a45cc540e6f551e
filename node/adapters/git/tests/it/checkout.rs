//! The person's checkout: changed by compare-and-swap and fast-forward, and otherwise left alone.

use crate::support::*;
use ikigai_git::GitCheckout;
use ikigai_ports::checkout::ContentHash;
use ikigai_ports::forge::PatchText;
use ikigai_ports::{Checkout, PortError, Workspaces};
use ikigai_types::Commit;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

const TASKS: &str = "specs/001-shop/tasks.md";
const OPEN: &str = "- [ ] T001 a\n- [ ] T002 b\n";
const DONE: &str = "- [X] T001 a\n- [ ] T002 b\n";

async fn world() -> (World, Commit, GitCheckout) {
    let (world, base) = World::new(&[(TASKS, OPEN), ("src/a", "1\n"), ("src/b", "1\n")]).await;
    let own = GitCheckout::new(world.dir.path().join("node")).unwrap();
    (world, base, own)
}

async fn write(own: &GitCheckout, checkout: &Path, text: &str) -> Result<(), PortError> {
    let read = own.read(checkout, Path::new(TASKS)).await?;
    own.write_if(checkout, Path::new(TASKS), &read.hash, text.into()).await
}

#[tokio::test]
async fn a_file_is_replaced_whole_if_it_is_what_it_was() {
    let (world, _, own) = world().await;
    let (checkout, path) = (world.checkout(), Path::new(TASKS));
    let file = checkout.join(TASKS);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let _ = std::os::unix::fs::chown(&file, Some(AGENT), Some(AGENT));
    let before = std::fs::metadata(&file).unwrap();
    let read = own.read(&checkout, path).await.unwrap();
    assert_eq!(read.bytes, OPEN.as_bytes());
    own.write_if(&checkout, path, &read.hash, DONE.into()).await.unwrap();
    let after = std::fs::metadata(&file).unwrap();
    assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
    let lost = own.write_if(&checkout, path, &read.hash, b"lost".to_vec()).await.unwrap_err();
    assert!(matches!(lost, PortError::Conflict(_)), "{lost:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), DONE);
    let names = std::fs::read_dir(file.parent().unwrap()).unwrap().count();
    assert_eq!(names, 1, "nothing is left beside the file");
}

#[tokio::test]
async fn what_lies_outside_is_refused() {
    let (world, _, own) = world().await;
    let checkout = world.checkout();
    std::os::unix::fs::symlink("/etc", checkout.join("etc")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", checkout.join("passwd")).unwrap();
    for bad in ["../node/home/gitconfig", "/etc/passwd", "etc/passwd", "passwd", ""] {
        let refused = own.read(&checkout, Path::new(bad)).await.unwrap_err();
        assert!(matches!(refused, PortError::Refused(_)), "{bad}: {refused:?}");
    }
    let missing = own.read(&checkout, Path::new("no/such")).await.unwrap_err();
    assert!(matches!(missing, PortError::NotFound(_)), "{missing:?}");
    let file = std::fs::File::create(checkout.join("big")).unwrap();
    file.set_len(17 << 20).unwrap();
    let big = own.read(&checkout, Path::new("big")).await.unwrap_err();
    assert!(matches!(big, PortError::Refused(_)), "{big:?}");
    let hash = ContentHash([0; 32]);
    assert!(own.write_if(&checkout, Path::new("passwd"), &hash, vec![]).await.is_err());
}

#[tokio::test]
async fn one_file_is_committed_and_all_else_stays_as_the_person_has_it() {
    let (world, base, own) = world().await;
    let checkout = world.checkout();
    std::fs::write(checkout.join("src/a"), "staged\n").unwrap();
    git(&checkout, &["add", "src/a"]);
    std::fs::write(checkout.join("src/b"), "edited\n").unwrap();
    std::fs::write(checkout.join("new"), "untracked\n").unwrap();
    let hook = checkout.join(".git/hooks/post-commit");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\ntouch hooked\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let before = git(&checkout, &["status", "--porcelain"]);
    write(&own, &checkout, DONE).await.unwrap();
    let commit = |text: &'static str| own.commit_file(&checkout, Path::new(TASKS), text, &world.signer);
    let made = commit("tasks: tick T001").await.unwrap().unwrap();
    assert_eq!(git(&checkout, &["rev-parse", "HEAD"]), made.0);
    assert_eq!(git(&checkout, &["rev-parse", "HEAD^"]), base.0);
    assert_eq!(
        git(&checkout, &["diff", "--stat", "--numstat", "HEAD^", "HEAD"]).lines().next(),
        Some("1\t1\tspecs/001-shop/tasks.md")
    );
    assert_eq!(git(&checkout, &["status", "--porcelain"]), before);
    assert!(!checkout.join("hooked").exists());
    assert_eq!(commit("again").await.unwrap(), None, "nothing is left to commit");
    let main = world.spaces.import(&world.project, &checkout, None).await.unwrap();
    assert_eq!(main, made);
}

#[tokio::test]
async fn a_change_of_the_persons_is_never_committed_with_ours() {
    let (world, base, own) = world().await;
    let checkout = world.checkout();
    std::fs::write(checkout.join(TASKS), format!("{OPEN}- [ ] T003 half a thou")).unwrap();
    write(&own, &checkout, &format!("{DONE}- [ ] T003 half a thou")).await.unwrap();
    let made = own.commit_file(&checkout, Path::new(TASKS), "tick", &world.signer).await.unwrap();
    assert_eq!(made, None);
    assert_eq!(git(&checkout, &["rev-parse", "HEAD"]), base.0);
    // Two changes of ours in a row are ours.
    std::fs::write(checkout.join(TASKS), OPEN).unwrap();
    write(&own, &checkout, &format!("{OPEN}- [ ] T003 c\n")).await.unwrap();
    write(&own, &checkout, &format!("{DONE}- [ ] T003 c\n")).await.unwrap();
    let made = own.commit_file(&checkout, Path::new(TASKS), "tick", &world.signer).await.unwrap();
    assert!(made.is_some());
}

#[tokio::test]
async fn a_checkout_in_the_middle_of_something_is_left_alone() {
    let (world, base, own) = world().await;
    let checkout = world.checkout();
    write(&own, &checkout, DONE).await.unwrap();
    for busy in ["MERGE_HEAD", "rebase-merge", "index.lock"] {
        let path = checkout.join(".git").join(busy);
        std::fs::write(&path, "x").unwrap();
        let made = own.commit_file(&checkout, Path::new(TASKS), "tick", &world.signer).await.unwrap();
        assert_eq!(made, None, "{busy}");
        assert!(!own.fast_forward(&world.project, &checkout, &base).await.unwrap());
        std::fs::remove_file(path).unwrap();
    }
    git(&checkout, &["checkout", "-q", "--detach"]);
    assert_eq!(own.commit_file(&checkout, Path::new(TASKS), "x", &world.signer).await.unwrap(), None);
}

/// A commit in the copy, on top of `base`, that changes `src/a` and adds `src/new`.
async fn ahead(world: &World, base: &Commit) -> Commit {
    let fence = fence("p.T1", 1, 1);
    let space = world.create(&fence, base).await;
    crate::support::write(&space, "src/a", "2\n");
    crate::support::write(&space, "src/new", "n\n");
    commit_all(&space, "work");
    world.spaces.collect(&world.project, &fence, base, &world.signer).await.unwrap().unwrap().head
}

#[tokio::test]
async fn a_clean_checkout_is_brought_along() {
    let (world, base, own) = world().await;
    let checkout = world.checkout();
    let next = ahead(&world, &base).await;
    std::fs::write(checkout.join("src/b"), "edited\n").unwrap();
    assert!(own.fast_forward(&world.project, &checkout, &next).await.unwrap());
    assert_eq!(git(&checkout, &["rev-parse", "main"]), next.0);
    assert_eq!(std::fs::read_to_string(checkout.join("src/a")).unwrap(), "2\n");
    assert_eq!(git(&checkout, &["status", "--porcelain"]), " M src/b");
    assert!(own.fast_forward(&world.project, &checkout, &next).await.unwrap(), "again is the same");
    assert!(own.fast_forward(&world.project, &checkout, &base).await.unwrap(), "it has the older one");
    assert_eq!(git(&checkout, &["rev-parse", "main"]), next.0);
}

#[tokio::test]
async fn a_checkout_with_a_touched_file_changed_is_left_alone() {
    let (world, base, own) = world().await;
    let checkout = world.checkout();
    let next = ahead(&world, &base).await;
    for (path, text) in [("src/a", "mine\n"), ("src/new", "mine too\n")] {
        std::fs::write(checkout.join(path), text).unwrap();
        assert!(!own.fast_forward(&world.project, &checkout, &next).await.unwrap(), "{path}");
        assert_eq!(std::fs::read_to_string(checkout.join(path)).unwrap(), text);
        assert_eq!(git(&checkout, &["rev-parse", "HEAD"]), base.0);
        git(&checkout, &["checkout", "-q", "--", "src/a"]);
    }
    // Ignored files are the person's too.
    std::fs::write(checkout.join(".git/info/exclude"), "src/new\n").unwrap();
    assert!(!own.fast_forward(&world.project, &checkout, &next).await.unwrap());
    std::fs::remove_file(checkout.join("src/new")).unwrap();
    git(&checkout, &["commit", "-q", "--allow-empty", "-m", "own"]);
    assert!(!own.fast_forward(&world.project, &checkout, &next).await.unwrap(), "not a fast-forward");
}

#[tokio::test]
async fn a_checkout_of_another_user_stays_theirs() {
    let (world, base, own) = world().await;
    let checkout = world.checkout();
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a_checkout_of_another_user_stays_theirs: only root can give a checkout away"
        );
        return;
    }
    let status =
        std::process::Command::new("chown").args(["-R", "10001:10001"]).arg(&checkout).status().unwrap();
    assert!(status.success());
    let next = ahead(&world, &base).await;
    assert!(own.fast_forward(&world.project, &checkout, &next).await.unwrap());
    write(&own, &checkout, DONE).await.unwrap();
    own.commit_file(&checkout, Path::new(TASKS), "tick", &world.signer).await.unwrap().unwrap();
    let foreign =
        std::process::Command::new("find").arg(&checkout).args(["-not", "-uid", "10001"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&foreign.stdout), "");
}

#[tokio::test]
async fn trees_merge_without_a_checkout_and_conflicts_name_files() {
    let (world, base, _) = world().await;
    let one = ahead(&world, &base).await;
    let two = {
        let fence = fence("p.T2", 1, 1);
        let space = world.create(&fence, &base).await;
        crate::support::write(&space, "src/a", "other\n");
        commit_all(&space, "clash");
        world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap().unwrap().head
    };
    let text = PatchText { title: "T1: work\nmore".into(), body: "why".into() };
    let world = &world;
    let merge = |ours: Commit, theirs: Commit| {
        let text = text.clone();
        async move {
            ikigai_git::merge::merge(
                world.spaces.copies(),
                &world.project,
                &ours,
                &theirs,
                &text,
                &world.signer,
            )
            .await
        }
    };
    let merged = merge(base.clone(), one.clone()).await.unwrap();
    assert_eq!(
        git(&world.bare(), &["log", "-1", "--format=%s|%b|%P", &merged.0]),
        format!("T1: work more|why\n|{base} {one}")
    );
    assert_eq!(merge(merged.clone(), one).await.unwrap(), merged, "merged already");
    let conflict = merge(merged, two).await.unwrap_err();
    assert!(matches!(&conflict, PortError::Conflict(text) if text.contains("\"src/a\"")), "{conflict:?}");
}

/// One completed task: its box is ticked in the file as it is now, again when somebody else was first. Answers how
/// often somebody was.
async fn complete(own: &GitCheckout, checkout: &Path, id: &str) -> u32 {
    let path = Path::new(TASKS);
    for lost in 0.. {
        let read = own.read(checkout, path).await.unwrap();
        let text = String::from_utf8(read.bytes).unwrap();
        let ticked = ikigai_speckit::tick(&text, id, &(), |_| ()).unwrap();
        match own.write_if(checkout, path, &read.hash, ticked.into_bytes()).await {
            Ok(()) => return lost,
            Err(PortError::Conflict(_)) => {}
            Err(error) => panic!("{id}: {error:?}"),
        }
    }
    unreachable!("the loop ends when the box is ticked")
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_tasks_that_end_at_once_tick_twenty_boxes_and_change_nothing_else() {
    let line = |box_: &str, n: u32| format!("- [{box_}] T{n:03} [P] task {n}, that is *odd*\u{a0}\r\n");
    let page = |box_: &str| {
        let tasks: String = (1..=20).map(|n| line(box_, n)).collect();
        format!("# Tasks\n\nWords of a person.  \n\n{tasks}- [ ] T021 stays open\n- [x] T022 was done before")
    };
    let open = page(" ");
    let (world, base) = World::new(&[(TASKS, &*open), ("src/a", "1\n")]).await;
    let own = Arc::new(GitCheckout::new(world.dir.path().join("node")).unwrap());
    let (checkout, signer) = (world.checkout(), Arc::new(TestSigner::new(7)));
    // First nobody waits for anybody; then each takes its turn and commits, as the tasks of one node do.
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    for commits in [false, true] {
        let mut all = tokio::task::JoinSet::new();
        for n in 1..=20 {
            let (own, checkout, signer, turn) = (own.clone(), checkout.clone(), signer.clone(), turn.clone());
            all.spawn(async move {
                let id = format!("T{n:03}");
                let _turn = if commits { Some(turn.lock().await) } else { None };
                let lost = complete(&own, &checkout, &id).await;
                if commits {
                    let path = Path::new(TASKS);
                    own.commit_file(&checkout, path, &format!("tick {id}"), &*signer).await.unwrap();
                }
                lost
            });
        }
        let lost: u32 = all.join_all().await.into_iter().sum();
        assert_eq!((commits, lost > 0), (commits, !commits), "{lost} writes met another one");
        assert_eq!(std::fs::read_to_string(checkout.join(TASKS)).unwrap(), page("X"));
        if !commits {
            git(&checkout, &["checkout", "-q", "--", TASKS]);
        }
    }
    assert_eq!(git(&checkout, &["status", "--porcelain"]), "", "all of it is committed");
    let changed = git(&checkout, &["log", "--numstat", "--format=", &format!("{}..HEAD", base.0)]);
    assert_eq!(changed, vec![format!("1\t1\t{TASKS}"); 20].join("\n"), "one box in each commit");
}
