//! The escape suite: the trial must be passed by every executor. Run unconfined, the same program must succeed, which
//! shows that it tries.

use super::executor::Fixture;
use crate::Executor;
use crate::escape::targets::{Targets, open_folder};
use crate::escape::{PATIENCE, PROBES, PROGRAM, Probe, read, trial};
use std::path::Path;
use tokio::process::Command;

/// Every probe must have run, and been blocked, but for what the executor says it does not hold.
///
/// # Panics
/// When a probe got out, did not run, or the workload did not start.
pub async fn escape(executor: &dyn Executor, fixture: &Fixture) {
    let probes = trial(executor, fixture.image.clone(), &fixture.folder).await;
    let probes = probes.unwrap_or_else(|e| panic!("it did not start: {}", e.chain()));
    for probe in &probes {
        let said = if probe.blocked { "blocked" } else { "OPEN" };
        println!("escape: {}: {said} ({})", probe.probe, probe.detail);
        if let Some(limit) = probe.excuse(executor) {
            println!("NOT HELD here: {limit}, which {} lists as missing", executor.isolation().name);
        }
    }
    let is_out = |p: &&Probe| !p.blocked && p.excuse(executor).is_none();
    let out: Vec<_> = probes.iter().filter(is_out).collect();
    assert!(out.is_empty(), "ways out: {out:#?}");
}

/// Runs the program on the machine itself: what a probe can do at all, it must do here. Without root only what
/// needs no rights is asked for, and the rest is printed.
///
/// # Panics
/// When a probe fails where nothing blocks it.
pub async fn control(folder: &Path, is_root: bool) {
    let targets = Targets::open(folder).await.unwrap();
    let work = open_folder(&folder.join("work")).unwrap();
    let program = folder.join("escape.py");
    std::fs::write(&program, PROGRAM).unwrap();
    let run = Command::new("python3")
        .arg(program)
        .arg("--control")
        .env("ESCAPE_TARGETS", &targets.told)
        .env("ESCAPE_SCRATCH", &work)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.expect("the program hangs").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let probes = read(&lines).unwrap();
    let plain = [
        "tcp4_to_the_machine",
        "udp_answers",
        "abstract_socket_of_the_machine",
        "socket_of_another_agent",
        "file_of_the_machine",
        "canary_in_files",
        "environment_of_others",
        "many_processes",
        "much_memory",
    ];
    for probe in probes.iter().filter(|p| p.blocked) {
        println!("control: {} fails here too: {}", probe.probe, probe.detail);
    }
    let asked = |p: &&Probe| is_root || plain.contains(&p.probe.as_str());
    let dead: Vec<_> =
        probes.iter().filter(asked).filter(|p| p.blocked || p.detail.contains("broken")).collect();
    assert!(dead.is_empty(), "probes that cannot succeed show nothing: {dead:#?}");
    assert!(probes.len() >= PROBES / 2, "only {} probes ran", probes.len());
}
