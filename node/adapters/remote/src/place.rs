//! Where a node keeps its state and its socket: the one rule for the node and for who looks for it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Name of the socket in the state folder.
pub const SOCKET: &str = "ikigai.sock";
/// Socket of a node that serves other Linux users of its machine, where they look for it.
pub const SHARED: &str = "/run/ikigai/shared.sock";
/// Name of the file with the token in the state folder.
pub const TOKEN: &str = "token";
/// Where loopback HTTP listens unless configured.
pub const ADDRESS: &str = "127.0.0.1:7420";

/// The state folder: `home` (the flag), else `$IKIGAI_HOME`, else `/var/lib/ikigai` for root, else
/// `$XDG_DATA_HOME/ikigai`, else `~/.local/share/ikigai`. `None` when a user has no home at all.
pub fn state_dir(home: Option<&Path>, root: bool, env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name: &str| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(home) = home.map(Path::to_owned).or_else(|| path("IKIGAI_HOME")) {
        return Some(home);
    }
    if root {
        return Some(PathBuf::from("/var/lib/ikigai"));
    }
    // The XDG rule: what is not absolute counts as not set.
    let data = path("XDG_DATA_HOME").filter(|p| p.is_absolute());
    data.or_else(|| path("HOME").map(|h| h.join(".local/share"))).map(|d| d.join("ikigai"))
}

/// The socket to ask: the one in the folder `own`; when there is none, or the folder is somebody else's, the one that
/// the machine's node has for everybody. Who named a folder means that one.
pub fn socket(own: &Path, is_named: bool, shared: &Path) -> PathBuf {
    let socket = own.join(SOCKET);
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    if !is_named && !is_there(&socket) && is_there(shared) { shared.to_owned() } else { socket }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(home: Option<&str>, root: bool, vars: &[(&str, &str)]) -> Option<String> {
        let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
        state_dir(home.map(Path::new), root, env).map(|p| p.display().to_string())
    }

    #[test]
    fn the_first_that_is_set_wins() {
        let all = [("IKIGAI_HOME", "/i"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(dir(Some("/flag"), true, &all).unwrap(), "/flag");
        assert_eq!(dir(None, true, &all).unwrap(), "/i");
        assert_eq!(dir(None, true, &all[1..]).unwrap(), "/var/lib/ikigai");
        assert_eq!(dir(None, false, &all[1..]).unwrap(), "/x/ikigai");
        assert_eq!(dir(None, false, &all[2..]).unwrap(), "/h/.local/share/ikigai");
        assert_eq!(
            dir(None, false, &[("XDG_DATA_HOME", "relative"), ("HOME", "/h")]).unwrap(),
            "/h/.local/share/ikigai"
        );
        assert_eq!(dir(None, false, &[("IKIGAI_HOME", "")]), None);
    }

    #[test]
    fn whoever_has_no_node_asks_the_one_for_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let (own, shared) = (dir.path().join("own"), dir.path().join("shared.sock"));
        std::fs::create_dir(&own).unwrap();
        assert_eq!(socket(&own, false, &shared), own.join(SOCKET), "nobody serves everybody");
        std::fs::write(&shared, "").unwrap();
        assert_eq!(socket(&own, false, &shared), shared);
        assert_eq!(socket(&own, true, &shared), own.join(SOCKET), "a folder was named");
        std::fs::write(own.join(SOCKET), "").unwrap();
        assert_eq!(socket(&own, false, &shared), own.join(SOCKET), "a node of one's own");
    }
}
