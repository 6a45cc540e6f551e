//! Import, create, collect, salvage and remove, as a well-behaved agent sees them.

use crate::support::*;
use ikigai_git::GitWorkspaces;
use ikigai_ports::workspace::Commit;
use ikigai_ports::{PortError, Workspaces};
use std::os::unix::fs::MetadataExt;

#[tokio::test]
async fn what_an_agent_commits_arrives_signed_with_its_trailers() {
    let (world, base) = World::new(&[("src/a.rs", "one\n")]).await;
    let fence = fence("p.001-shop.T012", 1, 4);
    let space = world.create(&fence, &base).await;
    assert_eq!(git(&space, &["symbolic-ref", "--short", "HEAD"]), "ikigai/T012");
    assert_eq!(git(&space, &["config", "user.email"]), "agent@ikigai.invalid");
    assert_eq!(git(&space, &["remote"]), "");
    write(&space, "src/a.rs", "one\ntwo\n");
    commit_all(&space, "add two");
    write(&space, "src/b.rs", "b\n");
    commit_all(&space, "add b\n\nSigned-off-by: Me <me@x>");

    let change = world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap().unwrap();
    assert_eq!(change.files, ["src/a.rs", "src/b.rs"]);
    assert_eq!((change.additions, change.deletions), (2, 0));
    let bare = world.bare();
    assert_eq!(git(&bare, &["rev-parse", "refs/ikigai/attempts/p.001-shop.T012/1"]), change.head.0);
    assert_eq!(git(&bare, &["rev-list", "--count", &format!("{base}..{}", change.head)]), "2");
    let body = git(&bare, &["log", "-1", "--format=%an|%cn|%B", &change.head.0]);
    assert!(body.starts_with("Person|Ikigai node|add b"), "{body}");
    let trailers = "Signed-off-by: Me <me@x>\nIkigai-Task: T012\nIkigai-Attempt: p.001-shop.T012/1@4";
    assert!(body.trim_end().ends_with(trailers), "{body}");

    let allowed = world.dir.path().join("allowed");
    let line = ikigai_git::signature::public_line(&world.signer);
    std::fs::write(&allowed, format!("node@ikigai.invalid {line}\n")).unwrap();
    let setting = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    for commit in [&change.head.0, &format!("{}~1", change.head)] {
        git(&bare, &["-c", &setting, "verify-commit", commit]);
    }
    std::fs::write(&allowed, format!("x {}\n", ikigai_git::signature::public_line(&TestSigner::new(8))))
        .unwrap();
    git_fails(&bare, &["-c", &setting, "verify-commit", &change.head.0]);

    // The same question again, even without the workspace, has the same answer.
    world.spaces.remove(&fence).await.unwrap();
    let again = world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap();
    assert_eq!(again, Some(change));
}

#[tokio::test]
async fn cut_short_anywhere_a_collection_ends_the_same() {
    let (world, base) = World::new(&[("a", "1\n")]).await;
    let fence = fence("p.T11", 1, 1);
    let space = world.create(&fence, &base).await;
    write(&space, "a", "2\n");
    commit_all(&space, "two");
    write(&space, "left", "3\n");
    let collect = || world.spaces.collect(&world.project, &fence, &base, &world.signer);
    let mut cut = 0;
    for ms in (0..400).step_by(8) {
        let limit = std::time::Duration::from_millis(ms);
        match tokio::time::timeout(limit, collect()).await {
            Err(_) => cut += 1,
            Ok(done) => {
                assert!(done.unwrap().is_some());
                break;
            }
        }
        let _ = tokio::time::timeout(limit, world.spaces.salvage(&world.project, &fence, &base)).await;
    }
    assert!(cut > 2, "{cut} were cut short");
    let change = collect().await.unwrap().unwrap();
    assert_eq!(collect().await.unwrap().unwrap(), change);
    let saved = world.spaces.salvage(&world.project, &fence, &base).await.unwrap().unwrap().reference;
    assert_eq!(git(&world.bare(), &["show", &format!("{saved}:left")]), "3");
    let refs = git(&world.bare(), &["for-each-ref", "--format=%(refname)", "refs/ikigai"]);
    assert_eq!(refs.lines().count(), 3, "nothing half done is left: {refs}");
    let staging = world.spaces.copies().layout().staging();
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
async fn a_lock_left_by_a_crash_is_cleared_and_one_that_is_held_is_waited_for() {
    let (world, base) = World::new(&[("a", "1\n")]).await;
    let checkout = world.checkout();
    let lock = world.bare().join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    std::fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    git(&checkout, &["commit", "-q", "--allow-empty", "-m", "on"]);
    let second = world.spaces.import(&world.project, &checkout, None).await.unwrap();
    assert_ne!(second, base);
    git(&checkout, &["commit", "-q", "--allow-empty", "-m", "and on"]);
    std::fs::write(&lock, "").unwrap();
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(lock.exists(), "a lock that may be held is not taken away");
        std::fs::remove_file(&lock).unwrap();
    };
    let (third, ()) = tokio::join!(world.spaces.import(&world.project, &checkout, None), release);
    assert_ne!(third.unwrap(), second);
}

#[tokio::test]
async fn a_stale_epoch_collects_nothing() {
    let (world, base) = World::new(&[("a", "1\n")]).await;
    let (old, new) = (fence("p.T1", 1, 1), fence("p.T1", 1, 2));
    for fence in [&old, &new] {
        let space = world.create(fence, &base).await;
        write(&space, "a", &format!("epoch {}\n", fence.epoch));
        commit_all(&space, "change");
    }
    let of_new = world.spaces.collect(&world.project, &new, &base, &world.signer).await.unwrap().unwrap();
    let refused = world.spaces.collect(&world.project, &old, &base, &world.signer).await.unwrap_err();
    assert!(matches!(refused, PortError::Conflict(_)), "{refused:?}");
    assert_eq!(git(&world.bare(), &["rev-parse", "refs/ikigai/attempts/p.T1/1"]), of_new.head.0);
    assert_eq!(world.spaces.list().await.unwrap(), [old, new]);
}

#[tokio::test]
async fn secrets_are_not_in_a_workspace_nor_deleted_by_its_commits() {
    let files = [(".env", "KEY=canary"), ("tls/server.key", "canary"), ("src/main.rs", "fn main() {}\n")];
    let (world, base) = World::new(&files).await;
    let fence = fence("p.T2", 1, 1);
    let space = world.create(&fence, &base).await;
    assert!(!space.join(".env").exists() && !space.join("tls").exists());
    git_fails(&space, &["cat-file", "blob", "HEAD:.env"]);
    git_fails(&space, &["show", "HEAD:tls/server.key"]);
    let everything = std::process::Command::new("grep").args(["-rc", "canary"]).arg(&space).output().unwrap();
    assert_eq!(everything.status.code(), Some(1), "{}", String::from_utf8_lossy(&everything.stdout));
    assert_eq!(git(&space, &["status", "--porcelain"]), "");
    write(&space, "src/main.rs", "fn main() { work() }\n");
    git(&space, &["commit", "-q", "-a", "-m", "work"]);
    git(&space, &["gc", "-q"]);
    let change = world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap().unwrap();
    assert_eq!(change.files, ["src/main.rs"]);
    assert_eq!(git(&world.bare(), &["show", &format!("{}:.env", change.head)]), "KEY=canary");
    // Nor by what is saved of it.
    write(&space, "more.rs", "more\n");
    let saved = world.spaces.salvage(&world.project, &fence, &base).await.unwrap().unwrap().reference;
    assert_eq!(git(&world.bare(), &["show", &format!("{saved}:.env")]), "KEY=canary");
    assert_eq!(git(&world.bare(), &["show", &format!("{saved}:more.rs")]), "more");
}

#[tokio::test]
async fn nothing_committed_is_nothing_collected_and_is_saved() {
    let (world, base) = World::new(&[("a", "1\n"), (".gitignore", "build/\n*.log\n!keep.log\n")]).await;
    let fence = fence("p.T3", 2, 1);
    let space = world.create(&fence, &base).await;
    assert_eq!(world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap(), None);
    assert_eq!(world.spaces.salvage(&world.project, &fence, &base).await.unwrap(), None);

    write(&space, "a", "changed\n");
    write(&space, "build/out", "ignored\n");
    write(&space, "x.log", "ignored\n");
    write(&space, "keep.log", "kept\n");
    write(&space, "new/deep/file with \"quotes\" é", "new\n");
    std::os::unix::fs::symlink("/etc/passwd", space.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc", space.join("folder-link")).unwrap();
    let saved = world.spaces.salvage(&world.project, &fence, &base).await.unwrap().unwrap().reference;
    assert_eq!(saved, "refs/ikigai/salvage/p.T3/2");
    let bare = world.bare();
    let files = git(&bare, &["-c", "core.quotePath=false", "ls-tree", "-r", "-z", "--name-only", &saved]);
    let files: Vec<&str> = files.split('\0').filter(|f| !f.is_empty()).collect();
    assert_eq!(
        files,
        [".gitignore", "a", "folder-link", "keep.log", "link", "new/deep/file with \"quotes\" é"]
    );
    assert_eq!(git(&bare, &["show", &format!("{saved}:link")]), "/etc/passwd");
    assert_eq!(git(&bare, &["show", &format!("{saved}:a")]), "changed");
    assert_eq!(git(&bare, &["rev-parse", &format!("{saved}^")]), base.0);
    // Saving twice is saving once.
    assert_eq!(
        world.spaces.salvage(&world.project, &fence, &base).await.unwrap().map(|s| s.reference),
        Some(saved)
    );
}

#[tokio::test]
async fn commits_that_were_not_collected_are_saved_too() {
    let (world, base) = World::new(&[("a", "1\n")]).await;
    let fence = fence("p.T4", 1, 1);
    let space = world.create(&fence, &base).await;
    write(&space, "b", "committed\n");
    commit_all(&space, "b");
    let saved = world.spaces.salvage(&world.project, &fence, &base).await.unwrap().unwrap().reference;
    assert_eq!(git(&world.bare(), &["show", &format!("{saved}:b")]), "committed");
    assert_eq!(git(&world.bare(), &["log", "-1", "--format=%s", &saved]), "b");
}

#[tokio::test]
async fn collected_work_needs_no_saving() {
    let (world, base) = World::new(&[("a", "1\n")]).await;
    let fence = fence("p.T5", 1, 1);
    let space = world.create(&fence, &base).await;
    write(&space, "b", "committed\n");
    commit_all(&space, "b");
    world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap().unwrap();
    assert_eq!(world.spaces.salvage(&world.project, &fence, &base).await.unwrap(), None);
}

#[tokio::test]
async fn boxes_and_submodules_are_refused() {
    let (world, base) = World::new(&[("specs/001-shop/tasks.md", "- [ ] T001 a\n"), ("a", "1\n")]).await;
    let boxes = fence("p.T6", 1, 1);
    let space = world.create(&boxes, &base).await;
    write(&space, "specs/001-shop/tasks.md", "- [X] T001 a\n");
    commit_all(&space, "tick");
    let refused = world.spaces.collect(&world.project, &boxes, &base, &world.signer).await.unwrap_err();
    assert!(matches!(&refused, PortError::Refused(text) if text.contains("tasks.md")), "{refused:?}");

    let nested = fence("p.T6", 2, 1);
    let space = world.create(&nested, &base).await;
    std::fs::create_dir(space.join("inner")).unwrap();
    git(&space.join("inner"), &["init", "-q"]);
    write(&space, "inner/x", "x\n");
    commit_all(&space.join("inner"), "inner");
    commit_all(&space, "nested");
    let refused = world.spaces.collect(&world.project, &nested, &base, &world.signer).await.unwrap_err();
    assert!(matches!(&refused, PortError::Refused(text) if text.contains("submodule")), "{refused:?}");
    // Nothing is lost: the files of both repositories are saved.
    let saved = world.spaces.salvage(&world.project, &nested, &base).await.unwrap().unwrap().reference;
    assert_eq!(git(&world.bare(), &["show", &format!("{saved}:inner/x")]), "x");
}

#[tokio::test]
async fn several_lines_of_work_become_one_commit() {
    let (world, base) = World::new(&[("a", "1\n")]).await;
    let fence = fence("p.T7", 1, 1);
    let space = world.create(&fence, &base).await;
    git(&space, &["checkout", "-q", "-b", "side"]);
    write(&space, "side", "s\n");
    commit_all(&space, "side");
    git(&space, &["checkout", "-q", "ikigai/T7"]);
    write(&space, "main", "m\n");
    commit_all(&space, "main");
    git(&space, &["merge", "-q", "--no-ff", "-m", "both", "side"]);
    let change = world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap().unwrap();
    assert_eq!(change.files, ["main", "side"]);
    assert_eq!(git(&world.bare(), &["rev-parse", &format!("{}^", change.head)]), base.0);
}

#[tokio::test]
async fn a_workspace_belongs_to_its_user_and_goes_away_whole() {
    let (world, base) = World::new(&[("deep/er/a", "1\n")]).await;
    let fence = fence("p.T8", 1, 9);
    let space = world.create(&fence, &base).await;
    assert_eq!(world.create(&fence, &base).await, space, "creating again is no second workspace");
    if rustix_is_root() {
        for path in [space.clone(), space.join(".git/HEAD"), space.join("deep/er/a")] {
            assert_eq!(std::fs::symlink_metadata(path).unwrap().uid(), AGENT);
        }
    }
    let before = world.spaces.usage(&fence).await.unwrap();
    std::fs::write(space.join("big"), vec![1; 1 << 20]).unwrap();
    std::os::unix::fs::symlink("/", space.join("root")).unwrap();
    let after = world.spaces.usage(&fence).await.unwrap();
    assert!((1 << 20..2 << 20).contains(&(after - before)), "{before} {after}");
    world.spaces.remove(&fence).await.unwrap();
    world.spaces.remove(&fence).await.unwrap();
    assert_eq!(world.spaces.list().await.unwrap(), []);
    assert!(matches!(world.spaces.usage(&fence).await, Err(PortError::NotFound(_))));
    let left = std::fs::read_dir(world.spaces.copies().layout().workspaces()).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_copy_never_moves_back() {
    let (world, first) = World::new(&[("a", "1\n")]).await;
    let checkout = world.checkout();
    let import = || world.spaces.import(&world.project, &checkout, Some("main"));
    write(&checkout, "a", "2\n");
    git(&checkout, &["commit", "-q", "-am", "second"]);
    let second = import().await.unwrap();
    assert_ne!(first, second);
    git(&checkout, &["reset", "-q", "--hard", &first.0]);
    assert_eq!(import().await.unwrap(), second, "a checkout that is behind changes nothing");
    write(&checkout, "a", "other\n");
    git(&checkout, &["commit", "-q", "-am", "diverged"]);
    let conflict = import().await.unwrap_err();
    assert!(matches!(&conflict, PortError::Conflict(text) if text.contains("git pull")), "{conflict:?}");
}

#[tokio::test]
async fn a_long_history_is_cut_and_work_on_it_is_collected_all_the_same() {
    let (world, _) = World::new(&[("a", "1\n")]).await;
    let checkout = world.checkout();
    let mut stream = String::from("reset refs/heads/main\nfrom refs/heads/main^0\n\n");
    for n in 0..1500 {
        stream.push_str(&format!("commit refs/heads/main\ncommitter A <a@b> {n} +0000\ndata 2\nc\nM 644 inline n\ndata <<E\n{n}\nE\n"));
    }
    let mut command = std::process::Command::new("git");
    command.current_dir(&checkout).args(["fast-import", "--quiet", "--force"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    git(&checkout, &["reset", "-q", "--hard"]);
    let base = world.spaces.import(&world.project, &checkout, None).await.unwrap();
    let fence = fence("p.T10", 1, 1);
    let space = world.create(&fence, &base).await;
    assert_eq!(git(&space, &["rev-list", "--count", "HEAD"]), "1000");
    assert_eq!(git(&space, &["status", "--porcelain"]), "");
    git(&space, &["fsck", "--strict"]);
    write(&space, "a", "2\n");
    commit_all(&space, "on a cut history");
    let change = world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap().unwrap();
    assert_eq!(change.files, ["a"]);
    assert_eq!(git(&world.bare(), &["rev-list", "--count", &change.head.0]), "1502");
}

#[tokio::test]
async fn what_is_not_a_project_is_said_plainly() {
    let (world, _) = World::new(&[("a", "1\n")]).await;
    let empty = world.dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let import = |path: std::path::PathBuf| async move { world_import(&path).await };
    assert!(import(empty.clone()).await.contains("git init"));
    git(&empty, &["init", "-q", "-b", "main"]);
    assert!(import(empty).await.contains("make a first commit"));
    let fence = fence("p.T9", 1, 1);
    let missing = Commit("f".repeat(40));
    assert!(matches!(
        world.spaces.create(&world.project, &fence, &missing).await,
        Err(PortError::NotFound(_))
    ));
    let bad = Commit("--upload-pack=touch /tmp/x".to_owned());
    assert!(matches!(world.spaces.create(&world.project, &fence, &bad).await, Err(PortError::Refused(_))));
}

async fn world_import(path: &std::path::Path) -> String {
    let dir = tempfile::tempdir().unwrap();
    let spaces = ikigai_git::GitWorkspaces::new(dir.path().join("node"), AGENT).unwrap();
    let project = ikigai_types::ProjectId::new("p").unwrap();
    spaces.import(&project, path, None).await.unwrap_err().to_string()
}

fn rustix_is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[tokio::test]
async fn what_a_killed_node_left_beside_workspaces_is_cleared() {
    let (world, base) = World::new(&[("a", "1\n")]).await;
    let (kept, gone) = (fence("p.T21", 1, 1), fence("p.T22", 1, 1));
    let (kept, gone) = (world.create(&kept, &base).await, world.create(&gone, &base).await);
    // As a node leaves it that is killed in the middle of a removal.
    std::fs::remove_dir_all(&gone).unwrap();
    assert!(gone.with_extension("packs").is_file());
    let _again = GitWorkspaces::new(world.dir.path().join("node"), AGENT).unwrap();
    assert!(!gone.parent().unwrap().exists());
    assert!(kept.is_dir() && kept.with_extension("packs").is_file());
}

#[tokio::test]
async fn an_import_that_finds_nothing_new_waits_for_nobody() {
    let (world, base) = World::new(&[("a", "1\n")]).await;
    let checkout = world.checkout();
    let held = world.spaces.copies().hold(&world.project).await.unwrap();
    let import = || world.spaces.import(&world.project, &checkout, None);
    assert_eq!(import().await.unwrap(), base);
    write(&checkout, "a", "2\n");
    commit_all(&checkout, "two");
    let waits = tokio::time::timeout(std::time::Duration::from_millis(500), import()).await;
    assert!(waits.is_err(), "something new is fetched under the lock");
    drop(held);
    assert_eq!(import().await.unwrap().0, git(&checkout, &["rev-parse", "HEAD"]));
}
