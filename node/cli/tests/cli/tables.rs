//! What people see.

use crate::scene::Scene;
use insta::assert_snapshot;

#[test]
fn task_ls() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "task ls",
        "task ls -o wide",
        "task ls --state review,failed",
        "task ls -o name"
    ]));
}

#[test]
fn task_ls_of_this_project_only() {
    let mut scene = Scene::alone();
    scene.fake = ikigai_ports::testsuite::fake_node::FakeNode::shop(ikigai_types::Timestamp(0), "/elsewhere");
    scene.serve();
    assert_snapshot!(scene.all(&["task ls", "task ls --all -o name"]));
}

#[test]
fn task_show_and_why() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "task show T002",
        "task show T004",
        "task why T004",
        "task why T005",
        "task why t003"
    ]));
}

#[test]
fn nodes() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&["node ls", "nodes -o wide", "node show server", "node show"]));
}

#[test]
fn patches() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "patch ls",
        "patch ls --all -o wide",
        "patch show T007",
        "patch diff T002"
    ]));
}

#[test]
fn plan() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&["plan", "plan 001-shop -o wide"]));
}

#[test]
fn place_explain() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "place explain T002",
        "place explain T005",
        "place explain T004",
        "place explain t009 --json",
        "place explain T999",
    ]));
}

#[test]
fn the_node_of_this_program_speaks_its_api() {
    let shown = Scene::shop().run("api check");
    assert!(shown.contains("the same: ") && shown.ends_with("[exit 0]\n"), "{shown}");
}

#[test]
fn plan_of_nothing_exits_0() {
    let scene = Scene::empty();
    assert_snapshot!(scene.run("plan"));
}

#[test]
fn version_and_context() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "version",
        "context ls",
        "context add box --url http://127.0.0.1:7999 --token-file box.token",
        "context use box",
        "context ls",
        "task ls",
        "--context local task ls -o name --state running",
        "context use nowhere",
        "context rm box",
        "context ls -o name",
    ]));
}
