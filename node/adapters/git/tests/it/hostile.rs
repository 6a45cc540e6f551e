//! Workspaces that were left as traps: nothing in them runs, nothing outside them is read.

use crate::support::*;
use ikigai_git::GitCheckout;
use ikigai_ports::forge::PatchText;
use ikigai_ports::{Checkout, PortError, PortResult, Workspaces};
use ikigai_types::{Change, Fence};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What is in a file outside that must never be read.
const OUTSIDE: &str = "OUTSIDE-CANARY-5f1d";

/// A workspace with one good commit, a program that tells when it was run, and a secret outside.
struct Trap {
    world: World,
    base: ikigai_types::Commit,
    fence: Fence,
    space: PathBuf,
    program: PathBuf,
    ran: PathBuf,
    secret: PathBuf,
}

impl Trap {
    async fn set() -> Self {
        let (world, base) = World::new(&[("src/a", "1\n"), (".gitattributes", "*.bin binary\n")]).await;
        let fence = fence("p.T666", 1, 1);
        let space = world.create(&fence, &base).await;
        write(&space, "src/a", "good\n");
        commit_all(&space, "good");
        let (program, ran) = (world.dir.path().join("program"), world.dir.path().join("ran"));
        std::fs::write(&program, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", ran.display())).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let secret = world.dir.path().join("secret");
        std::fs::create_dir(&secret).unwrap();
        git(&secret, &["init", "-q"]);
        write(&secret, "key", OUTSIDE);
        commit_all(&secret, OUTSIDE);
        Self { world, base, fence, space, program, ran, secret }
    }

    /// Adds to the workspace's own settings, which git would follow if it were run there.
    fn config(&self, text: &str) {
        let path = self.space.join(".git/config");
        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, old + &text.replace("PROGRAM", &self.program.display().to_string())).unwrap();
    }

    /// Everything that is ever done with a workspace; what collect answered.
    async fn spring(&self) -> PortResult<Option<Change>> {
        let _ = std::fs::remove_file(&self.ran);
        let (spaces, project) = (&self.world.spaces, &self.world.project);
        let all = async {
            spaces.usage(&self.fence).await.unwrap();
            let collected = spaces.collect(project, &self.fence, &self.base, &self.world.signer).await;
            spaces.salvage(project, &self.fence, &self.base).await.unwrap();
            if let Ok(Some(change)) = &collected {
                spaces.diff(project, change).await.unwrap();
                let text = PatchText { title: "t".into(), body: String::new() };
                let copies = spaces.copies();
                ikigai_git::merge::merge(
                    copies,
                    project,
                    &self.base,
                    &change.head,
                    &text,
                    &self.world.signer,
                )
                .await
                .unwrap();
                let check = fence("p.T666:check", 1, 1);
                spaces.create(project, &check, &change.head).await.unwrap();
                spaces.remove(&check).await.unwrap();
            }
            spaces.remove(&self.fence).await.unwrap();
            collected
        };
        let collected =
            tokio::time::timeout(Duration::from_secs(120), all).await.expect("nothing waits forever");
        let ran = std::fs::read_to_string(&self.ran).unwrap_or_default();
        assert_eq!(ran, "", "something ran");
        assert!(!self.copy_holds(OUTSIDE), "something outside was read");
        assert!(!self.space.exists(), "the workspace is gone");
        assert!(self.secret.join("key").is_file(), "nothing outside was deleted");
        collected
    }

    /// Whether any object of the node's copy holds `text`.
    fn copy_holds(&self, text: &str) -> bool {
        let bare = self.world.bare();
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(bare).args(["cat-file", "--batch-all-objects", "--batch"]);
        let out = command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(out.status.success() && !out.stdout.is_empty());
        out.stdout.windows(text.len()).any(|w| w == text.as_bytes())
    }

    /// An object of the workspace, written past git's checks.
    fn object(&self, kind: &str, content: &[u8]) -> String {
        use std::io::Write;
        let mut command = Command::new("git");
        command.current_dir(&self.space).args(["hash-object", "-w", "--literally", "-t", kind, "--stdin"]);
        command
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*");
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success());
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// A commit whose tree has `name` for a file, or a folder with a file, whatever git thinks of the name.
    fn commit_named(&self, name: &[u8], mode: &str, id: &str) {
        let raw: Vec<u8> = (0..20).map(|i| u8::from_str_radix(&id[2 * i..2 * i + 2], 16).unwrap()).collect();
        let tree = self.object("tree", &[mode.as_bytes(), b" ", name, b"\0", &raw].concat());
        let who = "A <a@b> 1 +0000";
        let base = &self.base;
        let text = format!("tree {tree}\nparent {base}\nauthor {who}\ncommitter {who}\n\nnamed\n");
        let commit = self.object("commit", text.as_bytes());
        git(&self.space, &["update-ref", "HEAD", &commit]);
    }
}

fn refused(collected: PortResult<Option<Change>>) -> String {
    match collected {
        Err(PortError::Refused(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn settings_that_run_programs_run_nothing() {
    let trap = Trap::set().await;
    write(&trap.space, ".gitattributes", "* filter=evil diff=evil merge=evil\n");
    commit_all(&trap.space, "attributes");
    write(&trap.space, "left", "not committed\n");
    let hooks = trap.space.join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in
        ["post-checkout", "pre-commit", "post-index-change", "reference-transaction", "fsmonitor-watchman"]
    {
        symlink(&trap.program, hooks.join(hook)).unwrap();
    }
    trap.config(
        "[core]\n fsmonitor = PROGRAM\n hooksPath = .git/hooks\n sshCommand = PROGRAM\n pager = PROGRAM\n\
         editor = PROGRAM\n alternateRefsCommand = PROGRAM\n gitProxy = PROGRAM\n\
         [filter \"evil\"]\n clean = PROGRAM\n smudge = PROGRAM\n process = PROGRAM\n required = true\n\
         [diff]\n external = PROGRAM\n[diff \"evil\"]\n command = PROGRAM\n textconv = PROGRAM\n\
         [merge \"evil\"]\n driver = PROGRAM\n[uploadpack]\n packObjectsHook = PROGRAM\n\
         [gpg]\n program = PROGRAM\n[gpg \"ssh\"]\n program = PROGRAM\n[commit]\n gpgSign = true\n\
         [credential]\n helper = PROGRAM\n[alias]\n add = !PROGRAM\n",
    );
    // The trap is a live one: git run in the workspace falls into it.
    let _ = git_anyway(&trap.space, &["status"]);
    assert!(trap.ran.exists());
    let change = trap.spring().await.unwrap().unwrap();
    assert_eq!(change.files, [".gitattributes", "src/a"]);
}

#[tokio::test]
async fn other_config_files_and_work_trees_are_not_followed() {
    let trap = Trap::set().await;
    let include = trap.space.join("include");
    std::fs::write(&include, format!("[core]\n fsmonitor = {}\n", trap.program.display())).unwrap();
    trap.config(&format!(
        "[include]\n path = {}\n[core]\n worktree = {}\n[extensions]\n worktreeConfig = true\n",
        include.display(),
        trap.secret.display()
    ));
    std::fs::write(trap.space.join(".git/config.worktree"), std::fs::read(&include).unwrap()).unwrap();
    std::fs::write(trap.space.join(".git/commondir"), trap.secret.join(".git").as_os_str().as_bytes())
        .unwrap();
    std::fs::write(trap.space.join(".git/gitdir"), trap.secret.join(".git").as_os_str().as_bytes()).unwrap();
    assert!(trap.spring().await.unwrap().is_some());
}

#[tokio::test]
async fn links_in_place_of_the_repository_lead_nowhere() {
    for part in [".git", ".git/objects", ".git/objects/pack", ".git/refs", ".git/HEAD"] {
        let trap = Trap::set().await;
        let (inner, outer) = (trap.space.join(part), trap.secret.join(part));
        let meta = std::fs::symlink_metadata(&inner).unwrap();
        if meta.is_dir() {
            std::fs::remove_dir_all(&inner).unwrap()
        } else {
            std::fs::remove_file(&inner).unwrap()
        }
        std::fs::create_dir_all(outer.parent().unwrap()).unwrap();
        symlink(&outer, &inner).unwrap();
        let collected = trap.spring().await;
        assert!(!matches!(collected, Ok(Some(_))) || part == ".git/HEAD", "{part}: {collected:?}");
    }
}

#[tokio::test]
async fn a_link_in_place_of_an_object_is_refused() {
    let trap = Trap::set().await;
    let head = git(&trap.space, &["rev-parse", "HEAD"]);
    let object = trap.space.join(format!(".git/objects/{}/{}", &head[..2], &head[2..]));
    let theirs = git(&trap.secret, &["rev-parse", "HEAD"]);
    std::fs::remove_file(&object).unwrap();
    symlink(trap.secret.join(format!(".git/objects/{}/{}", &theirs[..2], &theirs[2..])), &object).unwrap();
    refused(trap.spring().await);
}

#[tokio::test]
async fn a_git_file_that_points_outside_is_not_followed() {
    let trap = Trap::set().await;
    std::fs::remove_dir_all(trap.space.join(".git")).unwrap();
    std::fs::write(trap.space.join(".git"), format!("gitdir: {}/.git\n", trap.secret.display())).unwrap();
    refused(trap.spring().await);
}

#[tokio::test]
async fn objects_of_others_are_not_borrowed() {
    let trap = Trap::set().await;
    let theirs = git(&trap.secret, &["rev-parse", "HEAD"]);
    let info = trap.space.join(".git/objects/info");
    std::fs::create_dir_all(&info).unwrap();
    std::fs::write(info.join("alternates"), format!("{}/.git/objects\n", trap.secret.display())).unwrap();
    std::fs::write(trap.space.join(".git/HEAD"), format!("{theirs}\n")).unwrap();
    refused(trap.spring().await);
}

#[tokio::test]
async fn a_promise_of_objects_fetches_nothing() {
    let trap = Trap::set().await;
    // A commit whose tree is nowhere, in a repository that says it is kept by a remote that is a program.
    let who = "A <a@b> 1 +0000";
    let missing = "1".repeat(40);
    let text = format!("tree {missing}\nparent {}\nauthor {who}\ncommitter {who}\n\nmissing\n", trap.base);
    let commit = trap.object("commit", text.as_bytes());
    git(&trap.space, &["update-ref", "HEAD", &commit]);
    trap.config(
        "[extensions]\n partialClone = evil\n[remote \"evil\"]\n url = ext::PROGRAM\n promisor = true\n\
         uploadpack = PROGRAM\n vcs = PROGRAM\n[protocol]\n allow = always\n",
    );
    for pack in std::fs::read_dir(trap.space.join(".git/objects/pack")).unwrap().flatten() {
        std::fs::write(pack.path().with_extension("promisor"), "").unwrap();
    }
    refused(trap.spring().await);
}

#[tokio::test]
async fn grafts_replacements_and_shallow_ends_hide_nothing() {
    let trap = Trap::set().await;
    let head = git(&trap.space, &["rev-parse", "HEAD"]);
    let orphan = git(&trap.space, &["commit-tree", "-m", "orphan", "HEAD^{tree}"]);
    git(&trap.space, &["replace", &head, &orphan]);
    std::fs::write(trap.space.join(".git/shallow"), format!("{head}\n")).unwrap();
    std::fs::create_dir_all(trap.space.join(".git/info")).unwrap();
    std::fs::write(trap.space.join(".git/info/grafts"), format!("{head}\n")).unwrap();
    let change = trap.spring().await.unwrap().unwrap();
    assert_eq!(change.files, ["src/a"]);
}

#[tokio::test]
async fn a_history_of_its_own_is_refused() {
    let trap = Trap::set().await;
    let orphan = git(&trap.space, &["commit-tree", "-m", "orphan", "HEAD^{tree}"]);
    git(&trap.space, &["update-ref", "HEAD", &orphan]);
    assert!(refused(trap.spring().await).contains("start from"));
}

#[tokio::test]
async fn an_object_that_is_not_what_it_is_called_is_refused() {
    let trap = Trap::set().await;
    let blob = git(&trap.space, &["rev-parse", "HEAD:src/a"]);
    let other = trap.object("blob", b"something else\n");
    let path = |id: &str| trap.space.join(format!(".git/objects/{}/{}", &id[..2], &id[2..]));
    std::fs::remove_file(path(&blob)).unwrap();
    std::fs::copy(path(&other), path(&blob)).unwrap();
    refused(trap.spring().await);
}

#[tokio::test]
async fn damaged_packs_and_objects_are_refused() {
    let trap = Trap::set().await;
    git(&trap.space, &["repack", "-q", "-a", "-d"]);
    let packs = std::fs::read_dir(trap.space.join(".git/objects/pack")).unwrap().flatten();
    for pack in packs.filter(|p| p.path().extension().is_some_and(|e| e == "pack")) {
        let mut bytes = std::fs::read(pack.path()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::remove_file(pack.path()).unwrap();
        std::fs::write(pack.path(), bytes).unwrap();
    }
    refused(trap.spring().await);
}

#[tokio::test]
async fn names_that_leave_a_checkout_are_refused() {
    for name in [".git", ".GIT", "..", ".", "git~1", ".g\u{200c}it", "a/../../b", "a/b"] {
        let trap = Trap::set().await;
        let blob = trap.object("blob", b"x\n");
        trap.commit_named(name.as_bytes(), "100644", &blob);
        refused(trap.spring().await);
    }
}

#[tokio::test]
async fn refs_that_lead_out_are_no_refs() {
    for head in
        ["ref: refs/heads/../../../../secret/.git/HEAD", "ref: /etc/passwd", "ref: refs/heads/", "x", ""]
    {
        let trap = Trap::set().await;
        std::fs::write(trap.space.join(".git/HEAD"), head).unwrap();
        // The agent's own branch is what is left, and that is good.
        assert_eq!(trap.spring().await.unwrap().unwrap().files, ["src/a"], "{head}");
    }
}

#[tokio::test]
async fn names_are_data() {
    let trap = Trap::set().await;
    let names: [&[u8]; 10] = [
        b"$(touch ran)",
        b"`touch ran`;touch ran",
        b"--upload-pack=touch ran",
        b"-rf",
        b"new\nline",
        b":(exclude)a",
        b":!a",
        b"quote\"back\\slash",
        b"bytes\xff\xfe",
        b"tab\there",
    ];
    for name in names {
        std::fs::write(trap.space.join(std::ffi::OsStr::from_bytes(name)), "x\n").unwrap();
    }
    git(&trap.space, &["add", "-A"]);
    git(&trap.space, &["commit", "-q", "-m", "$(touch ran)\n\n--exec=touch ran"]);
    for name in names {
        let mut left = name.to_vec();
        left.extend_from_slice(b".left");
        std::fs::write(trap.space.join(std::ffi::OsStr::from_bytes(&left)), "x\n").unwrap();
    }
    let change = trap.spring().await.unwrap().unwrap();
    assert_eq!(change.files.len(), names.len() + 1);
    let saved =
        git(&trap.world.bare(), &["ls-tree", "-r", "-z", "--name-only", "refs/ikigai/salvage/p.T666/1"]);
    assert_eq!(saved.split('\0').filter(|n| n.ends_with(".left")).count(), names.len());
}

#[tokio::test]
async fn submodules_and_their_files_are_refused() {
    let trap = Trap::set().await;
    write(&trap.space, ".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = ext::touch ran\n");
    commit_all(&trap.space, "modules");
    refused(trap.spring().await);
    let trap = Trap::set().await;
    write(&trap.space, ".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = https://example.invalid/x\n");
    commit_all(&trap.space, "modules");
    assert!(refused(trap.spring().await).contains(".gitmodules"));
    let trap = Trap::set().await;
    trap.commit_named(b"sub", "160000", &"2".repeat(40));
    assert!(refused(trap.spring().await).contains("submodule"));
}

#[tokio::test]
async fn pipes_devices_and_endless_files_are_passed_by() {
    let trap = Trap::set().await;
    for path in ["pipe", ".git/objects/pack/pipe", ".git/objects/ab/cdef"] {
        let path = trap.space.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    }
    std::fs::remove_file(trap.space.join(".gitattributes")).unwrap();
    assert!(Command::new("mkfifo").arg(trap.space.join(".gitattributes")).status().unwrap().success());
    assert!(Command::new("mkfifo").arg(trap.space.join("src/.gitignore")).status().unwrap().success());
    std::fs::File::create(trap.space.join("endless")).unwrap().set_len(1 << 42).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(trap.space.join("s")).unwrap();
    symlink("/dev/zero", trap.space.join("zero")).unwrap();
    symlink("loop", trap.space.join("loop")).unwrap();
    symlink(trap.secret.join("key"), trap.space.join("key")).unwrap();
    symlink(&trap.secret, trap.space.join("folder")).unwrap();
    write(&trap.space, "left", "left\n");
    let began = Instant::now();
    assert!(trap.spring().await.unwrap().is_some());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let saved = "refs/ikigai/salvage/p.T666/1";
    assert_eq!(git(&trap.world.bare(), &["show", &format!("{saved}:left")]), "left");
    assert!(git(&trap.world.bare(), &["log", "-1", "--format=%B", saved]).contains("- endless"));
}

#[tokio::test]
async fn ignore_and_attribute_files_that_are_links_are_not_read() {
    let trap = Trap::set().await;
    write(&trap.secret, "rules", "left\n* filter=evil\n");
    for name in [".gitignore", "src/.gitattributes", "src/.gitignore"] {
        symlink(trap.secret.join("rules"), trap.space.join(name)).unwrap();
    }
    write(&trap.space, "left", "left\n");
    assert!(trap.spring().await.unwrap().is_some());
    let saved = git(&trap.world.bare(), &["ls-tree", "-r", "--name-only", "refs/ikigai/salvage/p.T666/1"]);
    assert!(saved.lines().any(|l| l == "left"), "a rule from outside was followed: {saved}");
}

#[tokio::test]
async fn nested_repositories_are_saved_as_files_and_followed_nowhere() {
    let trap = Trap::set().await;
    let inner = trap.space.join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join(".git"), format!("gitdir: {}/.git\n", trap.secret.display())).unwrap();
    write(&inner, "file", "inner\n");
    let other = trap.space.join("other");
    std::fs::create_dir(&other).unwrap();
    git(&other, &["init", "-q"]);
    let config = format!("[core]\n fsmonitor = {}\n", trap.program.display());
    std::fs::write(other.join(".git/config"), config).unwrap();
    write(&other, "file", "other\n");
    assert!(trap.spring().await.unwrap().is_some());
    let bare = trap.world.bare();
    for (path, text) in [("inner/file", "inner"), ("other/file", "other")] {
        assert_eq!(git(&bare, &["show", &format!("refs/ikigai/salvage/p.T666/1:{path}")]), text);
    }
}

#[tokio::test]
async fn a_small_object_that_unpacks_into_a_huge_one_ends_within_bounds() {
    let trap = Trap::set().await;
    // 1200 MiB of zeros in a loose object of 1 MiB.
    let mut command = Command::new("sh");
    command.current_dir(&trap.space).args(["-c", "head -c 1200M /dev/zero | git -c safe.directory='*' -c core.bigFileThreshold=100g hash-object -w --stdin"]);
    let out = command.output().unwrap();
    let blob = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    assert_eq!(blob.len(), 40, "{}", String::from_utf8_lossy(&out.stderr));
    trap.commit_named(b"zeros", "100644", &blob);
    assert!(refused(trap.spring().await).contains("1200 MiB"));
}

#[tokio::test]
async fn fifty_thousand_files_are_taken_in_reasonable_time() {
    let trap = Trap::set().await;
    for folder in 0..250 {
        let dir = trap.space.join(format!("d{folder}"));
        std::fs::create_dir(&dir).unwrap();
        for file in 0..200 {
            std::fs::write(dir.join(format!("f{file}")), format!("{folder} {file}\n")).unwrap();
        }
    }
    commit_all(&trap.space, "many");
    for folder in 0..250 {
        std::fs::write(trap.space.join(format!("d{folder}/left")), "x\n").unwrap();
    }
    let began = Instant::now();
    let (spaces, project) = (&trap.world.spaces, &trap.world.project);
    let change = spaces.collect(project, &trap.fence, &trap.base, &trap.world.signer).await.unwrap().unwrap();
    assert_eq!(change.files.len(), 50_001);
    eprintln!("50,000 files collected: {:?}", began.elapsed());
    let saved = spaces.salvage(project, &trap.fence, &trap.base).await.unwrap().unwrap().reference;
    eprintln!("and 250 more saved: {:?}", began.elapsed());
    let left = git(&trap.world.bare(), &["diff", "--name-only", &change.head.0, &saved]);
    assert_eq!(left.lines().count(), 250);
}

#[tokio::test]
async fn a_thousand_commits_are_kept_and_more_become_one() {
    let trap = Trap::set().await;
    let mut stream = String::new();
    for n in 0..1200 {
        let mark = if n == 0 { "from refs/heads/ikigai/T666^0\n" } else { "" };
        stream.push_str(&format!("commit refs/heads/ikigai/T666\ncommitter A <a@b> {n} +0000\ndata 2\nc\n{mark}M 644 inline n\ndata <<E\n{n}\nE\n"));
    }
    let mut command = Command::new("git");
    command.current_dir(&trap.space).args(["-c", "safe.directory=*", "fast-import", "--quiet", "--force"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let change = trap.spring().await.unwrap().unwrap();
    let count =
        git(&trap.world.bare(), &["rev-list", "--count", &format!("{}..{}", change.base, change.head)]);
    assert_eq!(count, "1");
}

#[tokio::test]
async fn a_checkout_with_traps_of_its_own_runs_none_for_us() {
    let (world, base) = World::new(&[("tasks.md", "- [ ] T001\n"), ("a", "1\n")]).await;
    let checkout = world.checkout();
    let (program, ran) = (world.dir.path().join("program"), world.dir.path().join("ran"));
    std::fs::write(&program, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", ran.display())).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let hooks = checkout.join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "post-merge",
        "post-checkout",
        "pre-commit",
        "post-commit",
        "post-index-change",
        "reference-transaction",
    ] {
        symlink(&program, hooks.join(hook)).unwrap();
    }
    let config = "[core]\n fsmonitor = PROGRAM\n hooksPath = .git/hooks\n editor = PROGRAM\n\
         [uploadpack]\n packObjectsHook = PROGRAM\n[gpg]\n program = PROGRAM\n[gpg \"ssh\"]\n program = PROGRAM\n\
         [commit]\n gpgSign = true\n[merge]\n verifySignatures = true\n[filter \"evil\"]\n clean = PROGRAM\n smudge = PROGRAM\n";
    let path = checkout.join(".git/config");
    let old = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, old + &config.replace("PROGRAM", &program.display().to_string())).unwrap();

    let fence = fence("p.T1", 1, 1);
    let space = world.create(&fence, &base).await;
    write(&space, "a", "2\n");
    commit_all(&space, "work");
    let change = world.spaces.collect(&world.project, &fence, &base, &world.signer).await.unwrap().unwrap();
    let own = GitCheckout::new(world.dir.path().join("node")).unwrap();
    assert_eq!(world.spaces.import(&world.project, &checkout, None).await.unwrap(), base);
    assert!(own.fast_forward(&world.project, &checkout, &change.head).await.unwrap());
    let tasks = Path::new("tasks.md");
    let read = own.read(&checkout, tasks).await.unwrap();
    own.write_if(&checkout, tasks, &read.hash, b"- [X] T001\n".to_vec()).await.unwrap();
    assert!(own.commit_file(&checkout, tasks, "tick", &world.signer).await.unwrap().is_some());
    // Where a filter would have to run, the checkout is left as it is.
    std::fs::write(checkout.join(".git/info/attributes"), "* filter=evil\n").unwrap();
    let read = own.read(&checkout, tasks).await.unwrap();
    own.write_if(&checkout, tasks, &read.hash, b"- [ ] T001\n".to_vec()).await.unwrap();
    assert_eq!(own.commit_file(&checkout, tasks, "untick", &world.signer).await.unwrap(), None);
    assert!(!ran.exists(), "{}", std::fs::read_to_string(&ran).unwrap_or_default());
}
