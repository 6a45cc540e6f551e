//! The project: made by the official `specify`, with the demo's feature in it.

use super::programs::Programs;
use super::{Place, failed, run};
use ikigai_wire::api::Problem;
use std::path::Path;

/// The feature's files, as they stand in this repository's own `specs/`.
const FILES: [(&str, &str); 3] = [
    ("spec.md", include_str!("../../../../../specs/001-text-stats/spec.md")),
    ("plan.md", include_str!("../../../../../specs/001-text-stats/plan.md")),
    ("tasks.md", include_str!("../../../../../specs/001-text-stats/tasks.md")),
];
/// What answers in place of a model when there is none.
const SCRIPT: &str = include_str!("../../../../../specs/001-text-stats/model.toml");
/// The feature's folder.
pub(super) const FEATURE: &str = "specs/001-text-stats";

/// Makes the project and commits it.
pub(super) async fn make(place: &Place, programs: &Programs) -> Result<(), Problem> {
    let root = place.project();
    std::fs::create_dir_all(&root).map_err(|e| failed("make the project's folder", e))?;
    let init = [
        "init",
        "--here",
        "--integration",
        "codex",
        "--script",
        "sh",
        "--force",
        "--ignore-agent-tools",
        "--non-interactive",
    ];
    run(&programs.specify, &init, &root, &[("NO_COLOR", "1")]).await?;
    let write =
        |file: std::path::PathBuf, text: &str| std::fs::write(&file, text).map_err(|e| failed("write", e));
    let feature = root.join(FEATURE);
    std::fs::create_dir_all(&feature).map_err(|e| failed("make the feature's folder", e))?;
    for (name, text) in FILES {
        write(feature.join(name), text)?;
    }
    write(place.script(), SCRIPT)?;
    let active = format!("{{\"feature_directory\":\"{FEATURE}\"}}\n");
    write(root.join(".specify/feature.json"), &active)?;
    commit(&root).await
}

async fn commit(root: &Path) -> Result<(), Problem> {
    let git = Path::new("git");
    if !root.join(".git").exists() {
        run(git, &["init", "-q", "-b", "main"], root, &[]).await?;
    }
    run(git, &["branch", "-M", "main"], root, &[]).await.ok();
    for (key, value) in [("user.name", "Demo"), ("user.email", "demo@ikigai.invalid")] {
        run(git, &["config", key, value], root, &[]).await?;
    }
    run(git, &["add", "-A"], root, &[]).await?;
    run(git, &["commit", "-qm", "spec: text statistics"], root, &[]).await?;
    Ok(())
}
