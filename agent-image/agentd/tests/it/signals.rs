//! Signals reach the program and all it started; who does not listen is killed.

use crate::harness::{Room, ended, eventually, lives};
use ikigai_wire::agent::FrameBody;
use rustix::process::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn sigterm_and_sigint_are_forwarded() {
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT")] {
        let room = Room::new();
        room.script(&format!(
            "trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.01; done"
        ));
        let mut agentd = room.start();
        agentd.until_out("ready");
        agentd.signal(signal);
        agentd.until_out(&format!("got {name}"));
        agentd.until(|body| *body == ended(9));
        assert_eq!(agentd.wait().code(), Some(9));
    }
}

#[test]
fn a_program_that_dies_of_the_signal_says_so_by_its_code() {
    let room = Room::new();
    room.script("echo ready; exec sleep 1000");
    let mut agentd = room.start();
    agentd.until_out("ready");
    agentd.signal(Signal::TERM);
    agentd.until(|body| *body == ended(128 + 15));
    assert_eq!(agentd.wait().code(), Some(143));
}

#[test]
fn the_whole_group_is_told_and_who_does_not_listen_is_killed() {
    let room = Room::new();
    room.script("trap '' TERM; (trap '' TERM; echo $BASHPID > child; sleep 1000) & sleep 0.2; echo ready; while :; do sleep 1; done");
    let mut agentd = room.start();
    agentd.until_out("ready");
    let began = Instant::now();
    agentd.signal(Signal::TERM);
    agentd.until(|body| *body == ended(128 + 9));
    let took = began.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(15)).contains(&took), "{took:?}");
    let child: i32 = std::fs::read_to_string(room.path("work/child")).unwrap().trim().parse().unwrap();
    assert!(!lives(child));
    assert_eq!(agentd.wait().code(), Some(137));
}

#[test]
fn lingering_ends_at_a_signal_with_the_programs_code() {
    let room = Room::new();
    let adapter = json!({ "name": "x", "command": ["bash", "-c", "exit 4"] });
    room.launch(json!({ "kind": "agent", "adapter": adapter, "prompt": "", "model": "" }), 1000);
    let mut agentd = room.start();
    agentd.until(|body| *body == ended(4));
    agentd.signal(Signal::TERM);
    assert_eq!(agentd.wait().code(), Some(4));
    assert_eq!(agentd.rest(), []);
}

#[test]
fn checks_are_left_out_after_a_signal() {
    let room = Room::new();
    room.checks(&["echo ready; sleep 1000", "touch second"], 1000);
    let mut agentd = room.start();
    agentd.until_out("ready");
    agentd.signal(Signal::TERM);
    agentd.until(|body| matches!(body, FrameBody::Checked { code: 143, .. }));
    agentd.until(|body| *body == ended(143));
    eventually("it ends", || agentd.wait().code() == Some(143));
    assert!(!room.path("work/second").exists());
}
