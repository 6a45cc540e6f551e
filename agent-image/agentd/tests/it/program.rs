//! A program's output becomes frames: all of it, in order, numbered.

use crate::harness::{Agentd, Room, bodies, ended, out};
use ikigai_wire::agent::{FrameBody, Resumed};
use serde_json::json;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn a_program_is_started_read_and_ended() {
    let room = Room::new();
    room.script("echo one; printf 'two\\xff\\n'; printf '\\033[1mthree'; exit 7");
    let (frames, code) = room.run();
    let expect = [FrameBody::Started, out("one"), out("two\u{fffd}"), out("\u{1b}[1mthree"), ended(7)];
    assert_eq!((bodies(frames), code), (expect.to_vec(), 7));
}

#[test]
fn standard_error_is_told_apart() {
    let room = Room::new();
    room.script("echo oops >&2");
    let (frames, _) = room.run();
    assert_eq!(frames[1].body, FrameBody::Err { t: "oops".into() });
}

#[test]
fn nothing_goes_through_a_shell() {
    let room = Room::new();
    room.adapter(json!({ "name": "x", "command": ["printf", "%s\\n", "$(id) {prompt}", "; echo no"] }));
    let (frames, _) = room.run();
    assert_eq!(bodies(frames)[1..3], [out("$(id) the prompt"), out("; echo no")]);
}

#[test]
fn a_prompt_of_megabytes_goes_in_by_standard_input() {
    let room = Room::new();
    let prompt = "0123456789abcde\n".repeat(200_000);
    let adapter = json!({ "name": "x", "command": ["sha256sum"], "prompt": "stdin" });
    room.launch(json!({ "kind": "agent", "adapter": adapter, "prompt": prompt, "model": "m" }), 0);
    let (frames, code) = room.run();
    // printf '0123456789abcde\n%.0s' {1..200000} | sha256sum
    let sum = "a6ccd06be6ea2da5a402eef6978e465bd1ee94201a4a3bc397d0457881e1d4b2  -";
    assert_eq!((&frames[1].body, code), (&out(sum), 0));
}

#[test]
fn a_prompt_too_long_for_an_argument_is_a_clear_error() {
    let room = Room::new();
    let adapter = json!({ "name": "x", "command": ["echo", "{prompt}"] });
    let prompt = "x".repeat(200_000);
    room.launch(json!({ "kind": "agent", "adapter": adapter, "prompt": prompt, "model": "m" }), 0);
    let (frames, code) = room.run();
    let FrameBody::Ended { code: 126, error: Some(error) } = &frames[0].body else { panic!("{frames:?}") };
    assert!(error.contains("prompt = \"stdin\""), "{error}");
    assert_eq!(code, 126);
}

#[track_caller]
fn not_started(room: &Room, code: i32, part: &str) {
    let (frames, exit) = room.run();
    let [frame] = &frames[..] else { panic!("{frames:?}") };
    let FrameBody::Ended { code: told, error: Some(error) } = &frame.body else { panic!("{frame:?}") };
    assert_eq!((*told, exit), (code, code));
    assert!(error.contains(part), "{error}");
}

#[test]
fn what_cannot_be_started_is_told() {
    let room = Room::new();
    not_started(&room, 125, "launch.json");
    std::fs::write(room.path("run/launch.json"), "{}").unwrap();
    not_started(&room, 125, "is not a launch file");
    room.adapter(json!({ "name": "x", "command": ["no-such-program"] }));
    not_started(&room, 127, "program no-such-program not found");
    room.adapter(json!({ "name": "x", "command": ["/etc/passwd"] }));
    not_started(&room, 126, "cannot start /etc/passwd");
    room.adapter(json!({ "name": "x", "command": [] }));
    not_started(&room, 125, "adapter x has an empty command");
    room.adapter(json!({ "name": "x", "command": ["true"], "files": { "/proc/nope/file": "x" } }));
    not_started(&room, 125, "cannot write /proc/nope/file");
    room.script("true");
    std::fs::remove_dir(room.path("work")).unwrap();
    not_started(&room, 126, "working directory");
}

#[test]
fn an_adapters_files_and_environment_are_there() {
    let room = Room::new();
    room.adapter(json!({
        "name": "x",
        "command": ["bash", "-c", "cat $CONF; echo $CONF; pwd"],
        "env": { "CONF": "{home}/.x/conf" },
        "files": { "{home}/.x/conf": "model {model} at {gateway}\n" },
    }));
    let (frames, _) = room.run();
    let texts = bodies(frames);
    let FrameBody::Out { t } = &texts[1] else { panic!() };
    assert!(t.starts_with("model m at http://127.0.0.1:") && t.ends_with("/v1"), "{t}");
    assert_eq!(texts[2], out(room.path("home/.x/conf").to_str().unwrap()));
    assert_eq!(texts[3], out(room.path("work").to_str().unwrap()));
}

#[test]
fn a_session_follows_the_line_that_names_it() {
    let room = Room::new();
    let lines =
        r#"echo '{"type":"thread.started","thread_id":"s-1"}'; echo plain; echo '{"thread_id":"s-1"}'"#;
    room.adapter(json!({
        "name": "x", "command": ["bash", "-c", lines], "events": "json-lines",
        "pointers": { "session": "/thread_id", "text": ["/text"] },
    }));
    let (frames, _) = room.run();
    let expect = [
        FrameBody::Started,
        out(r#"{"type":"thread.started","thread_id":"s-1"}"#),
        FrameBody::Session { id: "s-1".into() },
        out("plain"),
        out(r#"{"thread_id":"s-1"}"#),
        ended(0),
    ];
    assert_eq!(bodies(frames), expect);
}

#[test]
fn a_resumed_session_is_named_to_the_cli() {
    let room = Room::new();
    let adapter =
        json!({ "name": "x", "command": ["echo", "new"], "resume": ["echo", "resume", "{session}"] });
    room.launch(
        json!({ "kind": "agent", "adapter": adapter, "prompt": "p", "model": "m", "session": "s-1" }),
        0,
    );
    let (frames, _) = room.run();
    assert_eq!(frames[1].body, out("resume s-1"));
}

/// 200,000 lines on each stream while nobody reads for a while: the program waits, and nothing is lost.
#[test]
fn a_slow_reader_loses_nothing_and_costs_no_memory() {
    const LINES: u32 = 200_000;
    let room = Room::new();
    room.script(&format!("seq {LINES} & seq {LINES} >&2 & wait; echo wrote > wrote"));
    let mut agentd = room.start();
    // As long as nobody reads, the program cannot get to its end: what it says is over 8 MB.
    std::thread::sleep(Duration::from_secs(2));
    assert!(!room.path("work/wrote").exists());
    let status = std::fs::read_to_string(format!("/proc/{}/status", agentd.pid())).unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 32 << 10, "{peak} KiB");
    let (mut outs, mut errs) = (1..=LINES, 1..=LINES);
    for frame in agentd.rest() {
        match frame.body {
            FrameBody::Out { t } => assert_eq!(t, outs.next().unwrap().to_string()),
            FrameBody::Err { t } => assert_eq!(t, errs.next().unwrap().to_string()),
            FrameBody::Started => {}
            other => assert_eq!(other, ended(0)),
        }
    }
    assert_eq!((outs.next(), errs.next()), (None, None));
    assert!(agentd.wait().success());
}

#[test]
fn a_line_of_megabytes_comes_in_parts() {
    let room = Room::new();
    room.script("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end");
    let (frames, _) = room.run();
    let texts: Vec<_> = frames
        .into_iter()
        .filter_map(|f| if let FrameBody::Out { t } = f.body { Some(t) } else { None })
        .collect();
    assert_eq!(texts.last().unwrap(), "end");
    let parts = &texts[..texts.len() - 1];
    assert!(parts.iter().all(|p| p.len() <= 64 << 10));
    assert_eq!(parts.iter().map(String::len).sum::<usize>(), 3_000_000);
}

#[test]
fn what_a_program_left_running_is_gone_when_its_end_is_told() {
    let room = Room::new();
    room.script("(sleep 1000 & echo $! > pids); (setsid sleep 1000 & echo $! >> pids); nohup sleep 1000 >/dev/null 2>&1 & echo $! >> pids");
    let mut agentd = room.start();
    agentd.until(|body| *body == ended(0));
    let pids = std::fs::read_to_string(room.path("work/pids")).unwrap();
    let pids: Vec<i32> = pids.lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|pid| !crate::harness::lives(*pid)), "{pids:?}");
}

#[test]
fn when_nobody_reads_any_more_the_program_is_ended() {
    let room = Room::new();
    room.script("trap 'echo > termed; exit 0' TERM; while :; do echo x; sleep 0.01; done");
    let mut command = room.command();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 200];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    crate::harness::eventually("agentd ends", || child.try_wait().unwrap().is_some());
    assert!(room.path("work/termed").exists());
}

/// The agent has agentd's user id; it must not be able to speak in its name or read its memory.
#[test]
fn the_agent_cannot_reach_into_agentd() {
    let room = Room::new();
    room.script("echo '{\"n\":99,\"at\":0,\"k\":\"ended\",\"code\":0}' > /proc/$PPID/fd/1; cat /proc/$PPID/environ; exit 5");
    let mut command = room.command();
    if rustix::process::geteuid().is_root() {
        // Root may do all that; the agent never is.
        for name in ["", "run", "run/launch.json", "home", "work"] {
            std::os::unix::fs::chown(room.path(name), Some(10_001), Some(10_001)).unwrap();
        }
        let program = command.get_program().to_owned();
        let copy = room.path("agentd");
        std::fs::copy(program, &copy).unwrap();
        command = std::process::Command::new("setpriv");
        command.args(["--reuid=10001", "--regid=10001", "--clear-groups", "--bounding-set=-all"]).arg(copy);
        room.surround(&mut command);
    }
    let mut agentd = Agentd::start(command);
    let frames = agentd.rest();
    let said: Vec<_> = frames.iter().filter(|f| matches!(f.body, FrameBody::Err { .. })).collect();
    assert!(said.len() == 2 && format!("{said:?}").matches("Permission denied").count() == 2, "{frames:?}");
    assert_eq!(agentd.wait().code(), Some(5));
}

/// An agent that is to go on with session `s-1`: what it runs then, and what when it begins anew.
fn following(resume: &str, command: &str) -> Vec<FrameBody> {
    let room = Room::new();
    let adapter = json!({
        "name": "x", "command": ["bash", "-c", command, "x", "{prompt}"],
        "resume": ["bash", "-c", resume, "x", "{session}", "{prompt}"], "events": "json-lines",
        "pointers": { "session": "/thread_id" },
    });
    room.launch(
        json!({ "kind": "agent", "adapter": adapter, "prompt": "anew", "model": "m",
            "session": "s-1", "resume_prompt": "go on" }),
        0,
    );
    let (frames, code) = room.run();
    assert_eq!(code, 0);
    bodies(frames).into_iter().filter(|b| !matches!(b, FrameBody::Err { .. })).collect()
}

fn session(id: &str) -> [FrameBody; 2] {
    [out(&format!(r#"{{"thread_id":"{id}"}}"#)), FrameBody::Session { id: id.into() }]
}

const NAMES: &str = r#"printf '{"thread_id":"%s"}\n' "$1"; echo "$2""#;

#[test]
fn an_agent_goes_on_with_its_session() {
    let [line, named] = session("s-1");
    let warm = FrameBody::Resumed { how: Resumed::Warm };
    let expect = [FrameBody::Started, line, named, warm, out("go on"), ended(0)];
    assert_eq!(following(NAMES, "exit 9"), expect);
}

#[test]
fn a_session_that_the_program_refuses_is_begun_anew_in_the_same_run() {
    let anew = r#"echo '{"thread_id":"s-2"}'; echo "$1""#;
    let frames = following("echo 'no such thread' >&2; exit 1", anew);
    let [line, named] = session("s-2");
    let note = "the agent's CLI did not take its session, and exited with 1".to_owned();
    let cold = FrameBody::Resumed { how: Resumed::Cold };
    let expect = [FrameBody::Started, FrameBody::Note { t: note }, cold, line, named, out("anew"), ended(0)];
    assert_eq!(frames, expect);
}

#[test]
fn another_session_than_the_one_that_was_asked_for_is_a_cold_start() {
    let [line, named] = session("s-3");
    let cold = FrameBody::Resumed { how: Resumed::Cold };
    assert_eq!(
        following(r#"echo '{"thread_id":"s-3"}'"#, "exit 9"),
        [FrameBody::Started, line, named, cold, ended(0)]
    );
}
