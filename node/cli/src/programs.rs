//! Programs of this machine that commands call.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A program of PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

pub(crate) fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// Spec-Kit's `specify`: the one that setup found, else that of PATH.
pub(crate) fn specify() -> Option<PathBuf> {
    let named = std::env::var_os("IKIGAI_SPECIFY").filter(|v| !v.is_empty()).map(PathBuf::from);
    named.or_else(|| on_path("specify"))
}
