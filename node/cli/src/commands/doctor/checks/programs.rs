//! Programs the node calls, and whether they are the ones it knows.

use super::Check;
use crate::programs::{is_program, on_path, specify};
use ikigai::Config;
use std::path::Path;
use std::process::{Command, Stdio};

/// A version up to its second part. Later ones are expected to work; whoever has an earlier one is told.
type Version = (u64, u64);

/// What this version of Ikigai was tested with first.
const GIT: Version = (2, 34);
const RADICLE_NODE: Version = (0, 21);
const SPEC_KIT: Version = (1, 0);

pub(super) fn git() -> Check {
    match said(Path::new("git"), &["--version"]) {
        Some(text) if is_older(&text, GIT) => {
            Check::fail("git", text, format!("install git {}.{} or newer", GIT.0, GIT.1))
        }
        Some(text) => Check::ok("git", text),
        None => Check::fail("git", "git cannot be run", "install git"),
    }
}

pub(super) fn radicle(config: &Config) -> Check {
    let at = |name: &str| match &config.forge.radicle_bin {
        Some(folder) => Some(folder.join(name)).filter(|p| is_program(p)),
        None => on_path(name),
    };
    let programs = ["rad", "radicle-node", "git-remote-rad"];
    let missing: Vec<_> = programs.iter().copied().filter(|name| at(name).is_none()).collect();
    let found = format!("{} not found", missing.join(", "));
    let instead = "run: make setup; or keep patches in a bare git repository: IKIGAI_FORGE_BACKEND=git";
    if config.forge.backend == "git" {
        return Check::ok("radicle", "not used: patches go to a bare git repository");
    }
    if !missing.is_empty() {
        let only = config.forge.backend == "radicle";
        return Check::fail("radicle", found, if only { "run: make setup" } else { instead });
    }
    let versions: Vec<_> = programs.iter().filter_map(|name| said(&at(name)?, &["--version"])).collect();
    let shown = versions.join(", ");
    if versions.len() < programs.len() {
        return Check::fail("radicle", format!("its programs cannot be run ({shown})"), instead);
    }
    if versions.iter().any(|v| v.starts_with("radicle-node") && is_older(v, RADICLE_NODE)) {
        let wanted =
            format!("needs radicle-node {}.{} or newer; run: make setup", RADICLE_NODE.0, RADICLE_NODE.1);
        return Check::fail("radicle", shown, wanted);
    }
    Check::ok("radicle", shown)
}

/// Spec-Kit's own program writes the features that Ikigai reads. Nothing else needs it.
pub(super) fn spec_kit() -> Check {
    let Some(program) = specify() else {
        let fix =
            "to write specs with it: uv tool install specify-cli; Ikigai reads what others wrote without it";
        return Check::ok("spec-kit", format!("specify is not installed; {fix}"));
    };
    match said(&program, &["--version"]) {
        Some(text) if is_older(&text, SPEC_KIT) => {
            let fix = format!(
                "features of {}.{} and newer are read; run: specify self upgrade",
                SPEC_KIT.0, SPEC_KIT.1
            );
            Check::warn("spec-kit", text, fix)
        }
        Some(text) => Check::ok("spec-kit", text),
        None => Check::warn(
            "spec-kit",
            format!("{} cannot be run", program.display()),
            "install it again: uv tool install --force specify-cli",
        ),
    }
}

/// The first line a program answers to `args`.
fn said(program: &Path, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    out.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Whether the first number with a point in `text` is before `wanted`. What has none is not judged.
fn is_older(text: &str, wanted: Version) -> bool {
    let version = |word: &str| {
        let mut parts = word.trim_start_matches('v').split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    text.split_whitespace().find_map(version).is_some_and(|found| found < wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_older("radicle-node 0.9.1 (release)", (0, 21)));
        assert!(!is_older("git version 2.100.2", (2, 34)));
        assert!(is_older("specify v0.7.9", (1, 0)));
        assert!(!is_older("no number at all", (1, 0)));
    }
}
