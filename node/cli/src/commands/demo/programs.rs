//! What the demo runs on; a part that is missing is named, never replaced by a lesser one.

use crate::programs::{on_path, specify};
use ikigai_wire::api::{Code, Problem};
use std::path::{Path, PathBuf};

/// Programs and images of the demo.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    /// Spec-Kit's `specify`.
    pub(super) specify: PathBuf,
    /// Folder with `rad`, `radicle-node`, `git-remote-rad`.
    pub(super) radicle: PathBuf,
    /// The agent image by digest.
    pub(super) image: String,
}

impl Programs {
    /// PATH with the Radicle programs first: git looks for `git-remote-rad` there.
    pub(super) fn path(&self) -> String {
        format!("{}:{}", self.radicle.display(), std::env::var("PATH").unwrap_or_default())
    }

    pub(super) fn radicle(&self, name: &str) -> PathBuf {
        self.radicle.join(name)
    }
}

/// Finds them: where `make setup` says they are, then on PATH.
pub(super) fn find() -> Result<Programs, Problem> {
    let radicle =
        named("IKIGAI_RADICLE_BIN").or_else(|| on_path("radicle-node")?.parent().map(Path::to_owned));
    let image = std::env::var("IKIGAI_AGENT_IMAGE").ok().filter(|i| i.starts_with("sha256:"));
    Ok(Programs {
        specify: specify().ok_or_else(|| missing("Spec-Kit's program specify"))?,
        radicle: radicle.ok_or_else(|| missing("the Radicle programs"))?,
        image: image.ok_or_else(|| missing("the agent image"))?,
    })
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from)
}

fn missing(what: &str) -> Problem {
    Problem::new(Code::NotFound, format!("{what} is missing"), "in a checkout of Ikigai, run: make demo")
}
