//! What programs read.

use crate::scene::Scene;
use insta::assert_snapshot;

#[test]
fn one_task_in_every_form() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "task show T003 --json",
        "task show T003 -o yaml",
        "task show T003 -o name"
    ]));
}

#[test]
fn lists_in_every_form() {
    let scene = Scene::shop();
    let lines = [
        "task ls --state running -o ndjson",
        "task ls --state running --json",
        "node ls -o name",
        "patch ls -o name",
    ];
    assert_snapshot!(scene.all(&lines));
}

#[test]
fn documents_without_a_name() {
    let scene = Scene::shop();
    assert_snapshot!(scene.all(&[
        "task why T004 --json",
        "task new T008 --json",
        "version -o ndjson",
        "plan --json"
    ]));
}

#[test]
fn every_help_has_an_example() {
    let scene = Scene::alone();
    let mut todo = vec![String::new()];
    let mut seen = 0;
    while let Some(path) = todo.pop() {
        let help = scene.run(&format!("{path} --help"));
        assert!(help.contains("Example:\n  "), "`ikigai {path} --help` has no example:\n{help}");
        assert!(help.ends_with("[exit 0]\n"), "{help}");
        let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
        // A description that goes on in the next line is indented further than a name.
        let lines = listed.lines().take_while(|l| !l.is_empty()).filter(|l| !l.starts_with("   "));
        let names = lines.filter_map(|l| l.split_whitespace().next()).filter(|n| *n != "help");
        todo.extend(names.map(|n| format!("{path} {n}")));
        seen += 1;
    }
    assert!(seen > 30, "only {seen} commands were found");
}
