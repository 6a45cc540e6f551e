//! Commands that change something, and what the node was asked.

use crate::scene::Scene;
use insta::assert_snapshot;

#[test]
fn task_new() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "task new --dry-run -o name",
        "task new T008 --with-deps --cpu 0.5 --memory 512M --requires gpu=true --verify 'make test'",
        "task new",
        "task new",
        "task new 'Add a dark theme' --story US2 --parallel",
    ]));
    assert_snapshot!("task_new_asked", scene.fake.asked().join("\n"));
}

#[test]
fn steering() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "task pause T003 --dry-run",
        "task pause T003 --wait",
        "task resume T003",
        "task stop T003 T004",
        "task stop T003",
        "task retry T006 --json -q",
        "task adopt T005 --force",
        "node cordon laptop --dry-run",
        "node cordon laptop",
        "node uncordon laptop",
        "node drain laptop --grace 1m",
        "node drain nowhere",
    ]));
    assert_snapshot!("steering_asked", scene.fake.asked().join("\n"));
}

#[test]
fn a_typo_among_names_changes_nothing() {
    let scene = Scene::shop();
    assert_snapshot!(scene.run("task stop T003 T404"));
    assert_eq!(scene.fake.asked(), Vec::<String>::new());
}

#[test]
fn reviewing() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "patch comment T002 'cover the empty cart'",
        "patch accept T002 --dry-run",
        "patch accept T002 --wait --timeout 5s",
        "patch accept T007 --force",
        "patch reject T003 --reason no",
        "patch comment T004 x",
    ]));
    assert_snapshot!("reviewing_asked", scene.fake.asked().join("\n"));
}

#[test]
fn open() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&["open T003 --print", "open T003 --json", "open T001"]));
}
