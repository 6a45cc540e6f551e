//! The folder is the floor: a crate depends on lower folders only.

use crate::{none, root};
use std::collections::BTreeMap;

/// Folder of each of our crates, and what it depends on of ours.
fn crates() -> BTreeMap<String, (String, Vec<String>)> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<_> =
        ["node/runtime", "node/ikigai", "node/cli", "agent-image/agentd"].map(|f| root().join(f)).into();
    for parent in ["node/core", "node/seams", "node/adapters", "node/surface"] {
        folders.extend(std::fs::read_dir(root().join(parent)).unwrap().flatten().map(|e| e.path()));
    }
    for folder in folders {
        let Ok(manifest) = std::fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let path = folder.strip_prefix(root()).unwrap().display().to_string();
        let name =
            manifest.lines().find_map(|l| l.strip_prefix("name = ")).unwrap().trim_matches('"').to_owned();
        let uses = manifest.split("\n[").find(|s| s.starts_with("dependencies]")).unwrap_or_default();
        let ours = uses.lines().filter(|l| l.starts_with("ikigai"));
        let ours = ours.map(|l| l.split(['.', ' ', '=']).next().unwrap().to_owned()).collect();
        found.insert(name, (path, ours));
    }
    assert!(found.len() > 15, "found {} crates", found.len());
    found
}

/// Floor and wing of a folder.
fn floor(path: &str) -> (u32, &'static str) {
    const FLOORS: [(&str, u32, &str); 9] = [
        ("node/core/", 1, "core"),
        ("node/seams/wire", 2, "wire"),
        ("node/seams/ports", 2, "ports"),
        ("node/adapters/", 3, "adapters"),
        ("node/runtime", 3, "runtime"),
        ("node/surface/", 3, "surface"),
        ("node/ikigai", 4, "ikigai"),
        ("agent-image/agentd", 4, "agentd"),
        ("node/cli", 5, "cli"),
    ];
    FLOORS
        .iter()
        .find(|(start, ..)| path.starts_with(start))
        .map(|(_, f, w)| (*f, *w))
        .unwrap_or_else(|| panic!("{path} has no floor"))
}

/// The exceptions, each with its reason in an ADR.
fn is_excepted(from: &str, to: &str) -> bool {
    // Types are what the other crates of core are written in; wire is what ports speak
    // (docs/adr/0001); radicle is git with a network (docs/adr/0004).
    matches!(
        (from, to),
        (_, "ikigai-types") | ("ikigai-ports", "ikigai-wire") | ("ikigai-radicle", "ikigai-git")
    )
}

#[test]
fn no_crate_reaches_up_or_across() {
    let crates = crates();
    let mut found = Vec::new();
    for (name, (path, uses)) in &crates {
        for used in uses {
            let Some((to, _)) = crates.get(used) else { continue };
            let (from_floor, _) = floor(path);
            let (to_floor, _) = floor(to);
            if to_floor >= from_floor && !is_excepted(name, used) {
                found.push(format!("{path} depends on {to}"));
            }
        }
    }
    none("a crate depends on lower folders only", found);
}

#[test]
fn seams_and_core_document_every_public_item() {
    let wanted = crates().into_values().map(|(path, _)| path);
    let wanted =
        wanted.filter(|p| p.starts_with("node/core") || p.starts_with("node/seams") || p == "node/ikigai");
    let silent = wanted.filter(|p| {
        let lib = std::fs::read_to_string(root().join(p).join("src/lib.rs")).unwrap();
        !lib.contains("deny(missing_docs)")
    });
    none("write #![deny(missing_docs)] in lib.rs", silent.collect());
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    let free = crates().into_values().map(|(p, _)| p).filter(|p| {
        let manifest = std::fs::read_to_string(root().join(p).join("Cargo.toml")).unwrap();
        !manifest.contains("[lints]\nworkspace = true")
    });
    none("inherit the workspace's lints", free.collect());
}

#[test]
fn the_top_level_is_what_a_newcomer_was_told() {
    for name in [
        "Cargo.toml",
        "node",
        "agent-image",
        "specs",
        "dockerfiles",
        "tests",
        "docs",
        "Makefile",
        "README.md",
    ] {
        assert!(root().join(name).exists(), "{name} is missing");
    }
}
