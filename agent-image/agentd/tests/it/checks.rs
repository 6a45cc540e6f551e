//! Checks: all of them run, each held to its time.

use crate::harness::{Room, bodies, ended, lives, out};
use ikigai_wire::agent::FrameBody;

/// What was checked, without how long it took.
fn checked(frames: &[FrameBody]) -> Vec<(String, i32)> {
    let one = |body: &FrameBody| match body {
        FrameBody::Checked { command, code, .. } => Some((command.clone(), *code)),
        _ => None,
    };
    frames.iter().filter_map(one).collect()
}

#[test]
fn all_run_also_after_one_failed() {
    let room = Room::new();
    room.checks(&["echo a", "exit 3", "set -o pipefail; false | true", "[[ -d . ]] && echo b"], 60);
    let (frames, code) = room.run();
    let frames = bodies(frames);
    let expect =
        [("echo a", 0), ("exit 3", 3), ("set -o pipefail; false | true", 1), ("[[ -d . ]] && echo b", 0)];
    assert_eq!(checked(&frames), expect.map(|(c, n)| (c.to_owned(), n)));
    assert_eq!(frames[..2], [FrameBody::Started, out("a")]);
    assert_eq!((frames.last(), code), (Some(&ended(1)), 1));
}

#[test]
fn none_failed_is_zero_and_so_is_none_at_all() {
    for commands in [&["true", "true"][..], &[]] {
        let room = Room::new();
        room.checks(commands, 60);
        let (frames, code) = room.run();
        assert_eq!((frames.last().unwrap().body.clone(), code), (ended(0), 0));
    }
}

#[test]
fn one_that_takes_too_long_is_ended_with_all_it_started() {
    let room = Room::new();
    room.checks(&["sleep 1000 & echo $! > pid; echo begun; sleep 1000", "echo next"], 1);
    let (frames, code) = room.run();
    let frames = bodies(frames);
    let codes: Vec<_> = checked(&frames).into_iter().map(|(_, code)| code).collect();
    assert_eq!((codes, code), (vec![124, 0], 1));
    assert!(frames.contains(&out("begun")) && frames.contains(&out("next")));
    let pid: i32 = std::fs::read_to_string(room.path("work/pid")).unwrap().trim().parse().unwrap();
    assert!(!lives(pid));
    let ms = |n: usize| match &frames[n] {
        FrameBody::Checked { ms, .. } => *ms,
        other => panic!("{other:?}"),
    };
    let first = frames.iter().position(|f| matches!(f, FrameBody::Checked { .. })).unwrap();
    assert!((1000..7000).contains(&ms(first)), "{} ms", ms(first));
}

#[test]
fn a_check_sees_the_launch_files_environment_and_no_standard_input() {
    let mut room = Room::new();
    room.env.insert("COLOUR".into(), "blue".into());
    room.checks(&["echo $COLOUR; cat; pwd"], 60);
    let (frames, _) = room.run();
    let frames = bodies(frames);
    assert_eq!(frames[1..3], [out("blue"), out(room.path("work").to_str().unwrap())]);
}
