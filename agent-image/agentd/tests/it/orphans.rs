//! As PID 1, agentd reaps every orphan.

use crate::harness::{Agentd, Room, ended};
use ikigai_wire::agent::FrameBody;
use std::io::Write as _;
use std::process::Command;

/// A namespace in which agentd is PID 1; `None`, with the reason printed, where this machine makes none.
fn as_pid_1(room: &Room) -> Option<Command> {
    let agentd = room.command().get_program().to_owned();
    let mut bwrap = Command::new("bwrap");
    bwrap.args([
        "--bind",
        "/",
        "/",
        "--dev-bind",
        "/dev",
        "/dev",
        "--unshare-pid",
        "--unshare-net",
        "--as-pid-1",
    ]);
    bwrap.args(["--proc", "/proc", "--die-with-parent", "--"]);
    let mut probe = Command::new("bwrap");
    probe.args(bwrap.get_args()).arg("true");
    match probe.output() {
        Ok(done) if done.status.success() => {
            bwrap.arg(agentd);
            room.surround(&mut bwrap);
            Some(bwrap)
        }
        Ok(done) => {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED orphans: bwrap makes no namespace here: {}",
                String::from_utf8_lossy(&done.stderr)
            );
            None
        }
        Err(e) => {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED orphans: no bwrap ({e}); run: apt-get install bubblewrap"
            );
            None
        }
    }
}

#[test]
fn orphans_are_reaped_while_the_program_runs() {
    let room = Room::new();
    // Each sleeper's parent is gone at once, so PID 1 inherits it; it then ends by itself.
    room.script(
        "for i in $(seq 200); do (setsid sleep 0.1 &); done
         sleep 1
         echo zombies $(cat /proc/[0-9]*/stat | grep -c ') Z ')
         echo pid $PPID; echo loopback $(cat /proc/net/dev | grep -c lo:)
         (exec 3<>/dev/tcp/1.1.1.1/80) 2>/dev/null || echo no way out",
    );
    let Some(command) = as_pid_1(&room) else { return };
    let mut agentd = Agentd::start(command);
    let texts: Vec<_> = agentd.rest().into_iter().map(|f| f.body).collect();
    let expect = ["zombies 0", "pid 1", "loopback 1", "no way out"].map(|t| FrameBody::Out { t: t.into() });
    assert_eq!(texts[1..5], expect);
    assert_eq!(texts[5], ended(0));
    assert_eq!(agentd.wait().code(), Some(0));
}

#[test]
fn the_loopback_port_works_in_a_namespace_without_network() {
    let room = Room::new();
    let _gateway = crate::harness::Gateway::listen(&room);
    let ask = "g=${1#http://}; exec 3<>/dev/tcp/127.0.0.1/${g#*:}; printf 'GET /x HTTP/1.1\\r\\n\\r\\n' >&3; tail -n1 <&3; echo";
    let command = ["bash", "-c", &format!("set -- ${{1%/v1}}; {ask}"), "x", "{gateway}"];
    room.adapter(serde_json::json!({ "name": "x", "command": command }));
    let Some(command) = as_pid_1(&room) else { return };
    let mut agentd = Agentd::start(command);
    agentd.until_out("/x");
}

#[test]
fn a_signal_reaches_the_program_through_pid_1() {
    let room = Room::new();
    room.script("trap 'echo bye; exit 8' TERM; echo ready; while :; do sleep 0.01; done; kill -TERM 1");
    let Some(command) = as_pid_1(&room) else { return };
    let mut agentd = Agentd::start(command);
    agentd.until_out("ready");
    // bwrap's own child is PID 1 inside.
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", agentd.pid())).unwrap();
    let inner = children.split_whitespace().next().unwrap().parse().unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(inner).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    agentd.until_out("bye");
    agentd.until(|body| *body == ended(8));
    assert_eq!(agentd.wait().code(), Some(8));
}
