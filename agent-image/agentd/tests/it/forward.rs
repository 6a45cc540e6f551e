//! The loopback port leads to the gateway socket, also to one that comes late or comes again.

use crate::harness::{Gateway, Room, out};
use ikigai_wire::agent::FrameBody;

/// Asks the loopback port for `path` and prints the answer's body.
const ASK: &str = r#"
ask() {
  local url=$1 hostport
  hostport=${url#http://}; hostport=${hostport%%/*}
  exec 3<>"/dev/tcp/${hostport%:*}/${hostport#*:}"
  printf 'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' "$2" >&3
  tr -d '\r' <&3 | sed '1,/^$/d'; echo
}
"#;

fn asking(room: &Room, script: &str) {
    let command = ["bash", "-c", &format!("{ASK}\n{script}"), "x", "{gateway}"];
    room.adapter(serde_json::json!({ "name": "x", "command": command }));
}

#[test]
fn the_port_leads_to_the_socket() {
    let room = Room::new();
    let _gateway = Gateway::listen(&room);
    asking(&room, "ask $1 /v1/models; ask $1 /v1/responses");
    let (frames, code) = room.run();
    let texts: Vec<_> =
        frames.iter().filter(|f| matches!(f.body, FrameBody::Out { .. })).map(|f| &f.body).collect();
    assert_eq!((texts, code), (vec![&out("/v1/models"), &out("/v1/responses")], 0));
}

#[test]
fn a_call_waits_for_a_gateway_that_is_just_starting() {
    let room = Room::new();
    asking(&room, "echo asking; ask $1 /late");
    let mut agentd = room.start();
    agentd.until_out("asking");
    let _gateway = Gateway::listen(&room);
    agentd.until_out("/late");
}

#[test]
fn the_control_connection_comes_again_to_a_node_that_was_restarted() {
    let room = Room::new();
    let first = Gateway::listen(&room);
    room.script("echo ready; sleep 1000");
    let mut agentd = room.start();
    agentd.until_out("ready");
    drop(first.control());
    std::fs::remove_file(first.socket()).unwrap();
    let second = Gateway::listen(&room);
    second.control().order(&serde_json::json!({ "order": "finish" }));
    agentd.until(|body| matches!(body, FrameBody::Ended { code: 143, .. }));
    assert_eq!(agentd.wait().code(), Some(143));
}
