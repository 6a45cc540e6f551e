//! The configuration a node runs with, for commands that look at it from outside: the usual layers, and the file that
//! `ikigai up --config` named.

use crate::env::Env;
use ikigai::{ConfigError, Layers};
use ikigai_wire::api::Problem;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// In the state folder: the path that `--config` had.
const NAMED: &str = "config-file";

/// Keeps what `--config` named, for [`layers`] and for the next `ikigai up`.
pub(crate) fn remember(home: &Path, named: Option<&Path>) -> std::io::Result<()> {
    let note = home.join(NAMED);
    match named {
        Some(file) => std::fs::write(note, std::path::absolute(file)?.to_string_lossy().as_bytes()),
        None => std::fs::remove_file(note).or_else(|e| match e.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(e),
        }),
    }
}

/// The layers of the node that `env` means.
pub(crate) fn layers(env: &Env) -> Result<Layers, ConfigError> {
    let project = env.project().map(|p| p.root);
    let mut layers = Layers::usual(project.as_deref())?;
    if let Some(file) = named(env.state_dir()) {
        layers.file(&file)?;
    }
    Ok(layers)
}

/// The file that `ikigai up --config` named last for the node of `env`.
pub(crate) fn remembered(env: &Env) -> Option<PathBuf> {
    named(env.state_dir())
}

fn named(home: Result<PathBuf, Problem>) -> Option<PathBuf> {
    std::fs::read_to_string(home.ok()?.join(NAMED)).ok().map(PathBuf::from)
}
