//! The editor: started when it is asked for, one for all streams, alive while one is open.

use crate::harness::{Agentd, Control, Gateway, Room, ended, eventually};
use ikigai_wire::agent::FrameBody;
use serde_json::json;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// An agent that has nothing to do for a long time, and its node.
fn idle(linger_secs: u64, script: &str) -> (Room, Gateway, Control, Agentd) {
    let room = Room::new();
    let gateway = Gateway::listen(&room);
    let adapter = json!({ "name": "x", "command": ["bash", "-c", script] });
    room.launch(json!({ "kind": "agent", "adapter": adapter, "prompt": "", "model": "" }), linger_secs);
    let agentd = room.start();
    let control = gateway.control();
    (room, gateway, control, agentd)
}

fn echoes(stream: &mut (impl Read + Write), text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, text.as_bytes());
}

fn starts(room: &Room) -> Vec<i32> {
    let text = std::fs::read_to_string(room.path("home/starts")).unwrap_or_default();
    text.lines().map(|l| l.split(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn streams_lead_to_one_editor_that_is_started_by_the_first() {
    let (room, gateway, mut control, mut agentd) = idle(0, "sleep 1000");
    assert!(starts(&room).is_empty());
    control.order(&json!({ "order": "dial-editor", "id": 7 }));
    let mut first = gateway.stream(7);
    echoes(&mut first, "hello");
    control.order(&json!({ "order": "dial-editor", "id": 8 }));
    echoes(&mut gateway.stream(8), "again");
    echoes(&mut first, "still here");
    assert_eq!(starts(&room).len(), 1);
    let log = std::fs::read_to_string(room.path("home/starts")).unwrap();
    assert!(log.ends_with(" {}\n"), "no extension gallery: {log}");
    assert!(room.path("home/.local/share/code-server/User/settings.json").exists());
    let note = agentd.until(|body| matches!(body, FrameBody::Note { .. }));
    assert!(format!("{note:?}").contains("editor started in"));
}

#[test]
fn many_first_streams_at_once_start_one_editor() {
    let (room, gateway, mut control, _agentd) = idle(0, "sleep 1000");
    // More than its backlog holds.
    for id in 1..=60 {
        control.order(&json!({ "order": "dial-editor", "id": id }));
    }
    let mut ids = Vec::new();
    for _ in 0..60 {
        let (id, mut stream) = gateway.streams.recv_timeout(crate::harness::HANG).unwrap();
        echoes(&mut stream, "x");
        ids.push(id);
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=60).collect::<Vec<_>>());
    assert_eq!(starts(&room).len(), 1);
}

#[test]
fn an_editor_that_died_is_started_again() {
    let (room, gateway, mut control, _agentd) = idle(0, "sleep 1000");
    control.order(&json!({ "order": "dial-editor", "id": 1 }));
    echoes(&mut gateway.stream(1), "x");
    let pid = starts(&room)[0];
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    eventually("it is reaped", || !crate::harness::lives(pid));
    control.order(&json!({ "order": "dial-editor", "id": 2 }));
    echoes(&mut gateway.stream(2), "y");
    assert_eq!(starts(&room).len(), 2);
}

#[test]
fn an_editor_that_does_not_start_is_told_with_its_log() {
    let (room, _gateway, mut control, _agentd) = idle(0, "sleep 1000");
    std::fs::write(room.path("home/broken"), "").unwrap();
    control.order(&json!({ "order": "dial-editor", "id": 3 }));
    let answer = control.answer();
    assert_eq!(answer["failed"], 3);
    assert_eq!(answer["error"], "the editor ended with code 3 before it answered: broken on purpose");
    std::fs::remove_file(room.path("home/broken")).unwrap();
    control.order(&json!({ "order": "dance", "id": 4 }));
    assert_eq!(control.answer(), json!({ "failed": 4, "error": "this agentd does not know the order" }));
}

#[test]
fn the_editor_survives_the_program_and_a_stream_keeps_agentd() {
    let (_room, gateway, mut control, mut agentd) = idle(1, "until [ -e go ]; do sleep 0.01; done");
    control.order(&json!({ "order": "dial-editor", "id": 1 }));
    let mut stream = gateway.stream(1);
    echoes(&mut stream, "before");
    std::fs::write(_room.path("work/go"), "").unwrap();
    agentd.until(|body| *body == ended(0));
    // Longer than it would linger by itself: one second, and twenty of grace.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(23) {
        std::thread::sleep(Duration::from_secs(1));
        echoes(&mut stream, "after");
    }
    control.order(&json!({ "order": "finish" }));
    assert_eq!(agentd.wait().code(), Some(0));
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn finish_ends_agentd_and_the_editor_with_it() {
    let (room, gateway, mut control, mut agentd) = idle(1000, "exit 6");
    agentd.until(|body| *body == ended(6));
    control.order(&json!({ "order": "dial-editor", "id": 1 }));
    echoes(&mut gateway.stream(1), "x");
    let pid = starts(&room)[0];
    control.order(&json!({ "order": "finish" }));
    assert_eq!(agentd.wait().code(), Some(6));
    eventually("the editor is gone", || !crate::harness::lives(pid));
}

#[test]
fn a_closed_editor_costs_nothing_after_a_minute() {
    let (room, gateway, mut control, mut agentd) = idle(0, "sleep 1000");
    control.order(&json!({ "order": "dial-editor", "id": 1 }));
    let mut stream = gateway.stream(1);
    echoes(&mut stream, "x");
    let pid = starts(&room)[0];
    drop(stream);
    let began = Instant::now();
    agentd.until(|body| matches!(body, FrameBody::Note { t } if t.contains("editor ended")));
    assert!(!crate::harness::lives(pid));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    control.order(&json!({ "order": "dial-editor", "id": 2 }));
    echoes(&mut gateway.stream(2), "y");
    assert_eq!(starts(&room).len(), 2);
}
