//! What is kept of one attempt for the next, and what is not.

use super::*;
use std::os::unix::fs::symlink;

/// A folder of one task's attempts, and a session `s-1` that attempt 1 left there.
fn left(adapter: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("task/1-1");
    take(&first, &HashSet::new(), None, adapter).unwrap();
    fs::write(first.join("files/rollout.jsonl"), "turns").unwrap();
    let note = Note { attempt: 1, adapter: adapter.to_owned(), session: "s-1".to_owned() };
    fs::write(first.join("kept.json"), serde_json::to_vec(&note).unwrap()).unwrap();
    (folder, first)
}

fn after(attempt: u32) -> Follow {
    Follow { attempt, warm: Some(String::new()), cold: String::new() }
}

#[test]
fn the_next_attempt_takes_the_session_over() {
    let (folder, first) = left("codex");
    let second = folder.path().join("task/2-2");
    for _ in 0..2 {
        let taken = take(&second, &HashSet::new(), Some(&after(1)), "codex").unwrap();
        assert_eq!(taken.as_deref(), Some("s-1"), "also when a restart takes it again");
    }
    assert_eq!(fs::read_to_string(second.join("files/rollout.jsonl")).unwrap(), "turns");
    assert!(!first.exists(), "one folder is never seen by two");
}

#[test]
fn without_its_session_an_attempt_begins_with_an_empty_folder() {
    for (adapter, follow, busy) in [
        ("other", Some(after(1)), false),
        ("codex", Some(after(3)), false),
        ("codex", None, false),
        ("codex", Some(after(1)), true),
    ] {
        let (folder, first) = left("codex");
        let second = folder.path().join("task/4-4");
        let busy: HashSet<_> = busy.then(|| first.clone()).into_iter().collect();
        assert_eq!(take(&second, &busy, follow.as_ref(), adapter).unwrap(), None);
        assert_eq!(fs::read_dir(second.join("files")).unwrap().count(), 0);
        assert_eq!(first.exists(), !busy.is_empty(), "what is of no use goes, what is in use stays");
    }
}

#[test]
fn what_is_no_regular_file_goes_and_no_link_is_followed() {
    let (folder, first) = left("codex");
    let outside = folder.path().join("outside");
    fs::write(&outside, "mine").unwrap();
    fs::create_dir(folder.path().join("far")).unwrap();
    symlink(&outside, first.join("files/link")).unwrap();
    symlink(folder.path().join("far"), first.join("files/way")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(first.join("files/socket")).unwrap();
    let second = folder.path().join("task/2-2");
    assert!(take(&second, &HashSet::new(), Some(&after(1)), "codex").unwrap().is_some());
    let names: Vec<_> = fs::read_dir(second.join("files")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["rollout.jsonl"]);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert!(folder.path().join("far").exists());
}

#[test]
fn a_session_that_is_too_large_is_not_kept() {
    let (folder, first) = left("codex");
    let large = fs::File::create(first.join("files/large")).unwrap();
    large.set_len(untrusted::BYTES + 1).unwrap();
    let second = folder.path().join("task/2-2");
    assert_eq!(take(&second, &HashSet::new(), Some(&after(1)), "codex").unwrap(), None);
    assert_eq!(untrusted::bytes(&second.join("files")), 0);
    let (_folder, first) = left("codex");
    (0..untrusted::ENTRIES).for_each(|n| fs::write(first.join(format!("files/{n}")), "").unwrap());
    assert!(!untrusted::tidy(&first.join("files")), "nor one of too many files");
}

#[test]
fn only_the_newest_tasks_keep_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let task = |n: usize| folder.path().join(format!("task{n}"));
    for n in 0..TASKS + 3 {
        fs::create_dir_all(task(n).join("1-1")).unwrap();
        let at = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1000 + n as u64);
        fs::File::open(task(n)).unwrap().set_modified(at).unwrap();
    }
    let busy = HashSet::from([task(1).join("1-1")]);
    prune(folder.path(), &busy, TASKS).unwrap();
    assert_eq!([0, 1, 2, 3].map(|n| task(n).exists()), [false, true, false, true]);
}

#[test]
fn however_deep_it_is_it_is_bounded_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("task");
    fs::create_dir(&top).unwrap();
    let open = |at: &std::os::fd::OwnedFd, name: &str| {
        rustix::fs::openat(at, name, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap()
    };
    let mut at: std::os::fd::OwnedFd = fs::File::open(&top).unwrap().into();
    for _ in 0..3_000 {
        for name in ["d", "e"] {
            rustix::fs::mkdirat(&at, name, rustix::fs::Mode::RWXU).unwrap();
        }
        at = open(&at, "d");
    }
    assert_eq!(untrusted::bytes(&top), u64::MAX, "nobody hides what is deep below");
    assert!(!untrusted::tidy(&top));
    untrusted::remove(&top).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left beside it either");
    untrusted::remove(&top).unwrap();
    assert_eq!(untrusted::bytes(&top), 0);
}

#[test]
fn a_closed_folder_goes_too_and_what_a_link_leads_to_stays() {
    let (folder, first) = left("codex");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("mine"), "mine").unwrap();
    symlink(&outside, first.join("files/way")).unwrap();
    let closed = first.join("files/closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("inner"), "").unwrap();
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
    untrusted::remove(&first).unwrap();
    assert!(!first.exists() && outside.join("mine").exists());
}
