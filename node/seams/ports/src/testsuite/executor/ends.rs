//! How a workload ended, told truthfully.

use super::{Bench, is_not_found};
use crate::PortError;

pub(super) async fn exit_codes_are_the_first_processs(bench: &Bench) {
    for code in [0, 1, 42, 143, 255] {
        let (_, exit) = bench.script(&format!("code{code}"), &format!("(exit 99); exit {code}")).await;
        assert_eq!((exit.code, exit.out_of_memory), (code, false));
    }
    let (spec, folder) = bench.with_folder("later", "while [ ! -e /work/go ]; do sleep 0.02; done; exit 5");
    let id = bench.launch(&spec).await;
    let dropped = tokio::time::timeout(std::time::Duration::from_millis(50), bench.first.wait(&id)).await;
    assert!(dropped.is_err(), "it waits for the end");
    std::fs::write(folder.join("go"), "").unwrap();
    let (a, b) = tokio::join!(bench.first.wait(&id), bench.second.wait(&id));
    assert_eq!(a.unwrap().code, 5, "a dropped wait stopped nothing");
    assert_eq!(b.unwrap(), bench.first.wait(&id).await.unwrap(), "and the answer stays the same");
}

pub(super) async fn a_bad_command_is_an_end(bench: &Bench) {
    for (name, command, code) in [("absent", "/no/such/program", 127), ("denied", "/etc/passwd", 126)] {
        let mut spec = bench.spec(name, "");
        spec.command = vec![command.to_owned()];
        let (lines, exit) = bench.run(&spec).await;
        assert_eq!((exit.code, exit.out_of_memory), (code, false), "{exit:?}");
        assert!(exit.detail.as_ref().is_some_and(|d| d.contains(command)), "it names {command}: {exit:?}");
        assert_eq!(lines, [""; 0]);
        let id = bench.second.launch(&spec).await.unwrap();
        assert_eq!(bench.second.wait(&id).await.unwrap(), exit, "also after a restart");
    }
}

pub(super) async fn out_of_memory_is_told_apart(bench: &Bench) {
    if !bench.enforces("memory limit") {
        return;
    }
    // `tail` keeps a line without end in memory.
    let (_, exit) = bench.script("oom", "exec tail /dev/zero").await;
    assert_eq!((exit.code, exit.out_of_memory), (128 + 9, true));
    let (lines, exit) = bench.script("oom-child", "tail /dev/zero; echo child $?; exit 3").await;
    assert_eq!((lines, exit.code, exit.out_of_memory), (vec!["child 137".to_owned()], 3, false));

    let script = "tail /dev/zero; echo child $?; sleep 60 & wait";
    let id = bench.launch(&bench.spec("oom-then-stopped", script)).await;
    let mut said = bench.first.logs(&id).await.unwrap();
    assert_eq!(futures::StreamExt::next(&mut said).await.unwrap().unwrap(), "child 137");
    bench.first.stop(&id, std::time::Duration::ZERO).await.unwrap();
    let exit = bench.first.wait(&id).await.unwrap();
    assert_eq!((exit.code, exit.out_of_memory), (128 + 9, false), "we killed it, not the kernel");
}

pub(super) async fn an_image_must_be_there_by_digest(bench: &Bench) {
    if bench.fixture.image.is_none() {
        println!("NOT ASKED here: this backend runs programs of the machine, not images");
        return;
    }
    let mut spec = bench.spec("image", "true");
    spec.image = format!("sha256:{}", "0f".repeat(32));
    let missing = bench.first.launch(&spec).await;
    assert!(is_not_found(&missing) && missing.unwrap_err().to_string().contains(&spec.image));
    spec.image = "debian:bookworm-slim".to_owned();
    let named = bench.first.launch(&spec).await;
    assert!(matches!(named, Err(PortError::Refused(why)) if why.contains("digest")));
    assert!(bench.first.list(bench.node).await.unwrap().iter().all(|r| r.fence != spec.fence));
}
