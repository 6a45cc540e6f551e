//! Each exit code, as text and as a document.

use crate::scene::Scene;
use ikigai_wire::api::{Code, Problem};
use insta::assert_snapshot;

#[test]
fn every_exit_code() {
    let scene = Scene::shop();
    let mut shown = vec![scene.run("task show T003 -o name")];
    scene.fake.fail_next(Problem::new(Code::Failed, "the disk is full", "free some space"));
    shown.push(scene.run("task ls"));
    shown.push(scene.run("task ls --colour"));
    shown.push(scene.run("task show T404"));
    scene.fake.fail_next(Problem::new(Code::Unauthenticated, "a token is needed", "send one"));
    shown.push(scene.run("task ls"));
    shown.push(scene.run("patch accept T007"));
    shown.push(scene.run("task resume T003"));
    shown.push(scene.run("task wait T003 --timeout 0s"));
    shown.push(scene.run("plan -o name"));
    assert_snapshot!(shown.join("\n"));
}

#[test]
fn every_exit_code_as_json() {
    let scene = Scene::shop();
    let lines = [
        "task ls --colour --json",
        "task show T404 --json",
        "patch accept T007 -o json",
        "task resume T003 -o ndjson",
    ];
    assert_snapshot!(scene.all(&lines));
}

#[test]
fn no_node_is_7() {
    let scene = Scene::alone();
    assert_snapshot!(scene.all(&["task ls", "plan --json", "version", "down"]));
}

#[test]
fn no_project() {
    let scene = Scene::shop();
    let out = scene.command("plan").current_dir("/").output().unwrap();
    assert_snapshot!(scene.show("plan", &out));
}

#[test]
fn two_tasks_of_one_name_are_listed() {
    let scene = Scene::shop();
    scene.fake.twin("T003", "002-admin");
    scene.fake.twin("T003", "003-blog");
    assert_snapshot!(scene.all(&[
        "task show T003",
        "task show T003 --json",
        "task show 002-admin/T003 -o name",
        "task show 1f0c2a77.003-blog.T003 -o name",
        "task show 004-other/T003",
    ]));
}

#[test]
fn mistakes_in_arguments() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "task new T12",
        "task new dark theme",
        "task new T008 --story US1",
        "task new T404",
        "task new --cpu much",
        "task new --memory 0",
        "task new --requires gpu",
        "task new --timeout 3s",
        "task logs T001 --exit-status",
        "patch reject T002",
        "patch reject T002 --reason ' '",
        "task adopt T003",
        "plan ../elsewhere/tasks.md",
        "context add local --socket x",
        "context add far --url http://10.0.0.1:7420",
        "frobnicate",
    ]));
}
