//! The demo's feature as a git checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder of the feature below a checkout.
pub const FEATURE: &str = "specs/001-text-stats";

/// The feature's folder in this repository.
pub fn feature() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(FEATURE)
}

/// A fresh checkout with the feature in it, at `path`.
pub fn make(path: &Path) {
    let folder = path.join(FEATURE);
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["spec.md", "plan.md", "tasks.md"] {
        std::fs::copy(feature().join(file), folder.join(file)).unwrap();
    }
    std::fs::create_dir_all(path.join(".specify")).unwrap();
    let active = format!("{{\"feature_directory\":\"{FEATURE}\"}}");
    std::fs::write(path.join(".specify/feature.json"), active).unwrap();
    for args in [
        &["init", "-qb", "main"][..],
        &["config", "user.name", "Test"],
        &["config", "user.email", "test@ikigai.invalid"],
        &["add", "-A"],
        &["commit", "-qm", "spec"],
    ] {
        git(path, args);
    }
}

/// Runs git there and answers what it printed.
pub fn git(path: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(args).current_dir(path).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// tasks.md as it is now.
pub fn tasks(path: &Path) -> String {
    std::fs::read_to_string(path.join(FEATURE).join("tasks.md")).unwrap()
}
