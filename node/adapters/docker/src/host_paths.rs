//! Folders of this process as folders of the engine's machine.
//!
//! A mount is looked up where the engine runs. When the node itself runs in a container, its data folder has
//! another name there, which the engine tells when asked for that container's own mounts.

use ikigai_ports::{PortError, PortResult};
use std::path::{Path, PathBuf};

/// How to translate a folder's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMap {
    /// Both sides see the same.
    Same,
    /// `(here, there)`, each a folder both sides share.
    Mapped(Vec<(PathBuf, PathBuf)>),
}

impl PathMap {
    /// What the engine's machine calls `path`.
    ///
    /// # Errors
    /// [`PortError::Refused`] when `path` is in no shared folder.
    pub fn translate(&self, path: &Path) -> PortResult<PathBuf> {
        let Self::Mapped(folders) = self else { return Ok(path.to_owned()) };
        let inside =
            folders.iter().filter_map(|(here, there)| Some((here, there, path.strip_prefix(here).ok()?)));
        match inside.max_by_key(|(here, ..)| here.components().count()) {
            Some((_, there, rest)) if rest.as_os_str().is_empty() => Ok(there.clone()),
            Some((_, there, rest)) => Ok(there.join(rest)),
            None => Err(PortError::Refused(format!(
                "{} is only in this node's own container: keep the data folder on a volume or a bind mount, \
                 which the engine can show to others",
                path.display()
            ))),
        }
    }
}

/// The id of the container whose mounts `mountinfo` (the text of `/proc/self/mountinfo`) shows; `None` on a
/// machine itself. An engine mounts its own files for a container's hostname, hosts and resolv.conf.
pub fn own_container(mountinfo: &str) -> Option<&str> {
    mountinfo.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (root, target) = (fields.nth(3)?, fields.next()?);
        if !matches!(target, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf") {
            return None;
        }
        let (folder, _file) = root.rsplit_once('/')?;
        let (parent, id) = folder.rsplit_once('/')?;
        let hex = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
        (parent.ends_with("/containers") && hex).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn finds_its_own_container_and_nobody_elses() {
        let line = |root: &str, target: &str| format!("7 5 254:0 {root} {target} rw - ext4 /dev/vda rw\n");
        let root = format!("/var/lib/docker/containers/{ID}/hostname");
        let data = line("/var/lib/docker/volumes/x/_data", "/data");
        assert_eq!(own_container(&format!("{data}{}", line(&root, "/etc/hostname"))), Some(ID));
        // A machine that shows another container's files somewhere is no container.
        assert_eq!(own_container(&line(&root, "/mnt/hostname")), None);
        assert_eq!(own_container(&line("/etc/hostname", "/etc/hostname")), None);
        assert_eq!(own_container("garbage\n\n1 2 3\n"), None);
    }

    #[test]
    fn the_longest_shared_folder_names_a_path() {
        let map = PathMap::Mapped(vec![
            ("/data".into(), "/var/lib/docker/volumes/d/_data".into()),
            ("/data/fast".into(), "/mnt/fast".into()),
        ]);
        let to = |p: &str| map.translate(Path::new(p)).unwrap();
        assert_eq!(to("/data/w/t1"), Path::new("/var/lib/docker/volumes/d/_data/w/t1"));
        assert_eq!(to("/data"), Path::new("/var/lib/docker/volumes/d/_data"));
        assert_eq!(to("/data/fast/t1"), Path::new("/mnt/fast/t1"));
        assert!(map.translate(Path::new("/database")).is_err(), "a prefix of a name is no folder");
        assert!(map.translate(Path::new("/tmp/x")).is_err());
        assert_eq!(PathMap::Same.translate(Path::new("/x")).unwrap(), Path::new("/x"));
    }
}
