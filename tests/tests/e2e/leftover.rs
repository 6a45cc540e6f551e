//! What an agent leaves in its workspace beside its result is saved before the workspace is deleted.

use crate::node::{NodeProcess, Runs, turn};
use crate::{parts, project};
use ikigai_wire::api::TaskOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// It commits one file and leaves another one dirty.
const AGENT: &str = "#!/bin/sh\nset -e\necho done > done.txt\ngit add done.txt\ngit commit -qm done\n\
    echo precious > notes.txt\necho more >> done.txt\n";

async fn start() -> NodeProcess {
    let runs = Runs::Process(tempfile::tempdir().unwrap().keep());
    let script = project::feature().join("model.toml");
    let mut node = NodeProcess::prepare("test", &runs, "backend = \"git\"", "[mesh]\nlisten = []", &script);
    let path = node.project();
    std::fs::create_dir_all(path.join(".ikigai")).unwrap();
    std::fs::write(path.join(".ikigai/agent"), AGENT).unwrap();
    std::fs::set_permissions(path.join(".ikigai/agent"), PermissionsExt::from_mode(0o755)).unwrap();
    project::git(&path, &["add", "-A"]);
    project::git(&path, &["commit", "-qm", "agent"]);
    node.up().await;
    node
}

/// Folders below `folder` called `name`.
fn found(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path());
    folders
        .flat_map(|f| if f.file_name().is_some_and(|n| n == name) { vec![f] } else { found(&f, name) })
        .collect()
}

/// How many workspaces are there.
fn workspaces(home: &Path) -> usize {
    found(&home.join("git"), "workspaces").iter().map(|f| std::fs::read_dir(f).unwrap().count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dirty_worktree_has_its_ref_before_it_is_gone() {
    let test = "a_dirty_worktree_has_its_ref_before_it_is_gone";
    if !Path::new("/usr/bin/bwrap").is_file() {
        return parts::missing(test, "bubblewrap is not installed", "IKIGAI_REQUIRE_SANDBOX");
    }
    let _turn = turn().await;
    let node = start().await;
    let options = TaskOptions {
        adapter: Some("command".to_owned()),
        verify: Some(vec!["true".to_owned()]),
        ..TaskOptions::default()
    };
    node.submit(&["T001"], options).await;
    node.until("verdict", |e| e.what == "verified").await;
    let task = node.task("T001").await;
    assert_eq!(task.attempts[0].outcome.as_deref(), Some("done"), "{task:#?}");
    for _ in 0..200 {
        if workspaces(&node.home()) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(workspaces(&node.home()), 0, "the workspace is gone:\n{}", node.log_text());
    let name = format!("refs/ikigai/salvage/{}/1", task.id);
    let copies: Vec<_> = found(&node.home().join("git"), "refs").into_iter().collect();
    let bare = copies.iter().map(|r| r.parent().unwrap());
    let mut with =
        bare.filter(|b| !project::git(b, &["for-each-ref", "--format=%(refname)", &name]).is_empty());
    let bare = with.next().unwrap_or_else(|| panic!("no {name}:\n{}", node.log_text()));
    assert_eq!(project::git(bare, &["show", &format!("{name}:notes.txt")]), "precious");
    assert_eq!(project::git(bare, &["show", &format!("{name}:done.txt")]), "done\nmore");
    let taken = task.patch.unwrap().head;
    assert_eq!(
        project::git(bare, &["ls-tree", "--name-only", &taken, "notes.txt"]),
        "",
        "no part of the result"
    );
}
