//! What needs no node: init, completion, manual pages, plug-ins, features.

use crate::scene::Scene;
use insta::assert_snapshot;
use std::os::unix::fs::PermissionsExt;

#[test]
fn init_writes_once() {
    let scene = Scene::alone();
    assert_snapshot!(scene.all(&["init --dry-run", "init", "init"]));
    let text = std::fs::read_to_string(scene.project().join("ikigai.toml")).unwrap();
    assert!(text.lines().all(|l| l.is_empty() || l.starts_with('#')), "{text}");
}

#[test]
fn shells_complete_live_ids() {
    let scene = Scene::shop();
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.run(&format!("completion {shell}"));
        assert!(script.contains("IKIGAI_COMPLETE") && script.ends_with("[exit 0]\n"), "{script}");
    }
    let mut command = scene.command("-- ikigai task why T00");
    command
        .env("IKIGAI_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "3")
        .env("_CLAP_COMPLETE_COMP_TYPE", "9");
    command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_SPACE", "true");
    let out = command.output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("T003") && text.contains("T007") && !text.contains("T008"), "{text}");
}

#[test]
fn manual_pages_are_written() {
    let scene = Scene::alone();
    assert!(scene.run("man pages").ends_with("[exit 0]\n"));
    for page in ["ikigai.1", "ikigai-task-new.1", "ikigai-patch-accept.1"] {
        let text = std::fs::read_to_string(scene.project().join("pages").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn a_program_of_path_is_a_command() {
    let scene = Scene::alone();
    let bin = scene.dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = bin.join("ikigai-greet");
    std::fs::write(&program, "#!/bin/sh\necho \"hello $* in $IKIGAI_CONTEXT\"\nexit 5\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let out = scene.command("--context box greet you --loud").env("PATH", path).output().unwrap();
    assert_eq!(scene.show("greet", &out), "$ ikigai greet\nhello you --loud in box\n[exit 5]\n");
}

#[test]
fn doctor_says_what_to_do() {
    let mut scene = Scene::alone();
    let check = |shown: &str, name: &str| {
        let line = shown.lines().find(|l| l.contains(&format!("\"name\":\"{name}\""))).unwrap_or(shown);
        line.to_owned()
    };
    let without = scene.run("doctor -o ndjson");
    let node = check(&without, "node");
    assert!(node.contains(r#""status":"fail""#) && node.contains(r#""fix":"run: ikigai up""#), "{without}");
    assert!(check(&without, "state").contains(r#""fix":"run: chmod 700"#), "{without}");
    assert!(without.ends_with("[exit 1]\n"), "{without}");
    scene.serve();
    let with = scene.run("doctor -o ndjson");
    assert!(check(&with, "node").contains(r#""status":"ok","found":"laptop 0.1.0 answers""#), "{with}");
    std::fs::write(scene.project().join("ikigai.toml"), "[htpt]\n").unwrap();
    let wrong = scene.run("doctor");
    assert!(
        wrong.contains("FAIL  settings   [dir]/shop/ikigai.toml") && wrong.ends_with("[exit 1]\n"),
        "{wrong}"
    );
}

#[test]
fn every_line_that_init_writes_is_a_setting_that_exists() {
    let template = include_str!("../../src/commands/init/ikigai.toml");
    let uncommented: String = template
        .lines()
        .filter_map(|l| l.strip_prefix("# "))
        .filter(|l| l.starts_with('[') || l.contains(" = "))
        .map(|l| format!("{l}\n"))
        .collect();
    assert!(uncommented.lines().count() > 5, "{uncommented}");
    let scene = Scene::alone();
    std::fs::write(scene.project().join("ikigai.toml"), uncommented).unwrap();
    let shown = scene.run("config explain task");
    assert!(shown.contains("task.max_attempts") && shown.ends_with("[exit 0]\n"), "{shown}");
}

#[test]
fn config_explain_names_the_layer_that_won() {
    let scene = Scene::alone();
    std::fs::create_dir_all(scene.dir.path().join(".config/ikigai")).unwrap();
    let user = scene.dir.path().join(".config/ikigai/ikigai.toml");
    std::fs::write(&user, "[http]\nlisten = \"127.0.0.1:1\"\n[task]\nmodel = \"small\"\n").unwrap();
    std::fs::write(scene.project().join("ikigai.toml"), "[task]\nmodel = \"large\"\n").unwrap();
    let explain = |line: &str| {
        let out = scene.command(line).env("IKIGAI_TASK_MODEL", "huge").output().unwrap();
        scene.show(line, &out)
    };
    let lines = [
        "config explain task.model -o wide",
        "config explain --json",
        "config explain node.slots",
        "config explain no.such.key",
    ];
    assert_snapshot!(lines.map(explain).join("\n"));
    std::fs::write(scene.project().join("ikigai.toml"), "[task]\nmodle = \"x\"\n").unwrap();
    let shown = explain("config explain task.model");
    assert!(
        shown.contains("shop/ikigai.toml") && shown.contains("modle") && shown.ends_with("[exit 2]\n"),
        "{shown}"
    );
}

const TASKS: &str = "# Tasks: Shop\n\n## Phase 1: Setup\n\n- [X] T001 Create project structure\n- [ ] T002 [P] Configure linting in lint.toml\n\n\
    ## Phase 2: Foundational\n\n- [ ] T003 Create the database in src/db.py\n\n\
    ## Phase 3: User Story 1 - Cart (Priority: P1)\n\n- [ ] T004 [P] [US1] Cart test in tests/test_cart.py\n\
    - [ ] T005 [US1] Cart in src/cart.py (depends on T004)\n- [ ] T006 [US1] Prices in src/cart.py\n";

#[test]
fn spec_graph_and_status_need_no_node() {
    let scene = Scene::alone();
    std::fs::write(scene.project().join("specs/001-shop/tasks.md"), TASKS).unwrap();
    assert_snapshot!(scene.all(&[
        "spec graph",
        "spec graph 001-shop -o wide",
        "spec graph specs/001-shop/tasks.md --dot",
        "spec graph 001-shop -o ndjson",
        "spec status 001-shop",
        "spec status 002-none",
    ]));
    let active = "{\"feature_directory\":\"specs/001-shop\"}";
    std::fs::write(scene.project().join(".specify/feature.json"), active).unwrap();
    assert!(scene.run("spec status").contains("1/2"), "{}", scene.run("spec status"));
}

#[test]
fn mistakes_of_a_tasks_file_name_their_line() {
    let scene = Scene::alone();
    let file = scene.project().join("specs/001-shop/tasks.md");
    let broken = TASKS.replace("depends on T004", "depends on T404").replace("T002 [P]", "T001 [P]");
    std::fs::write(&file, broken).unwrap();
    assert_snapshot!(scene.all(&["spec graph 001-shop", "spec graph 001-shop --json"]));
    std::fs::write(&file, b"- [ ] T001 \xff").unwrap();
    assert_snapshot!("not_utf8", scene.run("spec graph 001-shop"));
}
