//! The node's own folder: who can read it, and what survives in it.

use super::Check;
use crate::env::Env;
use ikigai::Config;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

/// Files that nobody else may read: with one of them anybody is this node, or its user.
const KEYS: [&str; 2] = ["node.key", "token"];

pub(super) fn state(env: &Env) -> Check {
    let dir = match env.state_dir() {
        Ok(dir) => dir,
        Err(p) => return Check::fail("state", p.message, p.hint.unwrap_or_default()),
    };
    let shown = dir.display();
    match std::fs::metadata(&dir) {
        Ok(meta) if meta.mode() & 0o077 != 0 => {
            Check::warn("state", format!("{shown} is open to others"), format!("run: chmod 700 {shown}"))
        }
        Ok(_) => Check::ok("state", shown.to_string()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Check::ok("state", format!("{shown} is made by the first `ikigai up`"))
        }
        Err(e) => Check::fail("state", format!("{shown}: {e}"), "name another folder with --home"),
    }
}

/// None before there is a node's key.
pub(super) fn keys(env: &Env) -> Option<Check> {
    let dir = env.state_dir().ok()?;
    let there: Vec<_> = KEYS.iter().map(|name| dir.join(name)).filter(|p| p.exists()).collect();
    for path in &there {
        let shown = path.display();
        match std::fs::metadata(path) {
            Ok(meta) if meta.mode() & 0o077 != 0 => {
                let fix =
                    format!("run: chmod 600 {shown}; if a stranger may have read it, make the node anew");
                return Some(Check::fail("keys", format!("{shown} can be read by others"), fix));
            }
            Ok(meta) if meta.len() == 0 => {
                let fix = "stop the node and put the file back from a backup";
                return Some(Check::fail("keys", format!("{shown} is empty"), fix));
            }
            Ok(_) => {}
            Err(e) => {
                let fix = "run doctor as the user that the node runs as";
                return Some(Check::fail("keys", format!("{shown}: {e}"), fix));
            }
        }
    }
    (!there.is_empty()).then(|| Check::ok("keys", "nobody else can read them"))
}

/// What an answered write survives, by backend.
pub(super) fn store(config: &Config) -> Check {
    match config.store.backend.as_str() {
        "memory" => Check::warn(
            "store",
            "memory: everything is lost when the node ends",
            "for anything but a trial set store.backend to sled",
        ),
        backend => Check::ok(
            "store",
            format!("{backend}: an answered write is synced to disk; a kill or a power cut loses none"),
        ),
    }
}
