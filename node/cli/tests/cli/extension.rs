//! The extension of Spec-Kit: the official program takes it, and what it tells agents to type exists.

use crate::scene::Scene;
use std::io::Write as _;
use std::process::Command;

#[test]
fn spec_kit_installs_the_extension() {
    let Some(specify) = std::env::var_os("IKIGAI_SPECIFY") else {
        assert!(std::env::var_os("IKIGAI_REQUIRE_SPECKIT").is_none(), "IKIGAI_SPECIFY names no program");
        let text =
            "SKIPPED spec_kit_installs_the_extension: IKIGAI_SPECIFY names no program (run: make setup)";
        let _ = writeln!(std::io::stderr(), "{text}");
        return;
    };
    let scene = Scene::alone();
    let init = "init --here --integration codex --script sh --force --ignore-agent-tools --non-interactive";
    let mut command = Command::new(&specify);
    command
        .args(init.split(' '))
        .current_dir(scene.project())
        .env("NO_COLOR", "1")
        .env("HOME", scene.dir.path());
    let out = command.output().unwrap();
    assert!(out.status.success(), "{out:?}");
    // Twice: whoever has an older one gets this one in its place.
    for _ in 0..2 {
        let out = scene.command("spec extension").env("IKIGAI_SPECIFY", &specify).output().unwrap();
        let shown = scene.show("spec extension", &out);
        assert_eq!(
            shown,
            "$ ikigai spec extension\n/speckit.ikigai.dispatch\n/speckit.ikigai.status\n/speckit.ikigai.review\n[exit 0]\n"
        );
    }
    let hooks = std::fs::read_to_string(scene.project().join(".specify/extensions.yml")).unwrap();
    assert_eq!(hooks.matches("command: speckit.ikigai.dispatch").count(), 1, "{hooks}");
    let skill = scene.project().join(".agents/skills/speckit-ikigai-dispatch/SKILL.md");
    let skill = std::fs::read_to_string(skill).unwrap();
    assert!(skill.contains("ikigai task new") && !skill.contains("$ARGUMENTS\n\n$"), "{skill}");
}

#[test]
fn what_agents_are_told_to_type_are_commands() {
    let scene = Scene::shop();
    assert!(scene.run("spec extension --to made").ends_with("[exit 0]\n"));
    let folder = scene.project().join("made/commands");
    let pages: Vec<_> = std::fs::read_dir(folder).unwrap().map(|page| page.unwrap().path()).collect();
    assert_eq!(pages.len(), 3, "{pages:?}");
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let lines = text.lines().map(str::trim).filter_map(|l| l.strip_prefix("ikigai "));
        let mut typed = 0;
        for line in lines {
            let out = scene.command(&format!("{} --help", line.replace('"', "'"))).output().unwrap();
            assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
            typed += 1;
        }
        assert!(typed > 0, "{} names no command", page.display());
    }
}

#[test]
fn without_spec_kit_it_says_what_to_do() {
    let scene = Scene::alone();
    let none = scene.command("spec extension").env("PATH", "/nonexistent").output().unwrap();
    let shown = scene.show("spec extension", &none);
    assert!(shown.contains("specify is not installed") && shown.ends_with("[exit 3]\n"), "{shown}");
}
