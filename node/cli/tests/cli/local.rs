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
    let without = scene.run("doctor -o ndjson");
    assert!(
        without.contains(r#""name":"node","status":"fail""#) && without.contains(r#""fix":"run: ikigai up""#),
        "{without}"
    );
    assert!(without.ends_with("[exit 1]\n"), "{without}");
    scene.serve();
    let with = scene.run("doctor -o ndjson");
    assert!(with.contains(r#""name":"node","status":"ok","found":"laptop 0.1.0 answers""#), "{with}");
    assert!(with.contains(r#""fix":"run: chmod 700"#) && with.ends_with("[exit 0]\n"), "{with}");
}
