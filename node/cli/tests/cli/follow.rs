//! Logs and waiting: order, resumption, exit codes.

use crate::scene::Scene;
use ikigai_types::{AttemptId, TaskId};
use insta::assert_snapshot;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

fn attempt(short: &str, number: u32) -> AttemptId {
    AttemptId { task: TaskId::new(format!("1f0c2a77.001-shop.{short}")).unwrap(), number }
}

fn start(scene: &Scene, line: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = scene.command(line).stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

fn line(out: &mut impl BufRead) -> String {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn logs_of_an_ended_attempt() {
    let scene = Scene::shop();
    let lines = [
        "task logs T006",
        "task logs T006 --from 5",
        "task logs -f T006 --exit-status",
        "task logs T006 -o ndjson",
        "task logs T006 --raw",
        "task logs T007",
        "task logs T007 -n --from 3",
        "task logs T007 --raw --from 6",
        "task logs T006 --attempt 2",
        "task logs T004",
    ];
    assert_snapshot!(scene.all(&lines));
}

#[test]
fn following_survives_a_node_that_goes_and_comes_back() {
    let mut scene = Scene::shop();
    let (mut child, mut out) = start(&scene, "task logs -f T003 --from 2 --exit-status");
    assert_eq!(line(&mut out), "reading src/cart.py");
    line(&mut out);
    let mut wanted = vec![];
    for round in 0..3 {
        for n in 0..5 {
            wanted.push(format!("round {round} line {n}"));
            scene.fake.print(&attempt("T003", 1), &wanted[wanted.len() - 1]);
        }
        let got: Vec<_> = (0..5).map(|_| line(&mut out)).collect();
        assert_eq!(got, wanted[wanted.len() - 5..]);
        scene.unserve();
        wanted.push(format!("while away {round}"));
        scene.fake.print(&attempt("T003", 1), &wanted[wanted.len() - 1]);
        scene.serve();
        assert_eq!(line(&mut out), wanted[wanted.len() - 1]);
    }
    scene.fake.end(&attempt("T003", 1), 42);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn a_hole_is_shown() {
    let scene = Scene::shop();
    scene.fake.lose(&attempt("T003", 1), 7);
    let shown = scene.run("task logs T003 --from 4");
    assert!(shown.contains("[gap: 7 lines missing, 4 to 10]"), "{shown}");
}

#[test]
fn waiting_ends_with_the_task() {
    let scene = Scene::shop();
    let (mut child, _out) = start(&scene, "task wait T003");
    let (mut other, _other_out) = start(&scene, "task wait T004 --state accepted");
    scene.fake.turn("T003", "verifying", "T003 is checked");
    scene.fake.turn("T003", "review", "T003 can be reviewed");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    scene.fake.turn("T004", "cancelled", "T004 was stopped");
    assert_eq!(other.wait().unwrap().code(), Some(1));
}

#[test]
fn watching_prints_what_changes() {
    let mut scene = Scene::shop();
    let (mut child, mut out) = start(&scene, "task ls --watch --state running -o name");
    assert_eq!(line(&mut out), "1f0c2a77.001-shop.T003");
    scene.fake.turn("T004", "queued", "not wanted");
    scene.fake.turn("T004", "running", "wanted");
    assert_eq!(line(&mut out), "1f0c2a77.001-shop.T004");
    scene.unserve();
    scene.fake.restart_log();
    scene.fake.turn("T005", "running", "while away");
    scene.serve();
    scene.fake.turn("T006", "running", "after the restart");
    let next = line(&mut out);
    assert!(next.ends_with("T005") || next.ends_with("T006"), "{next}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn ctrl_c_is_130() {
    let scene = Scene::shop();
    let (mut child, mut out) = start(&scene, "task logs -f T003");
    line(&mut out);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
