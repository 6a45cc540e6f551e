//! Which folders of the host may never be shown to a workload, whoever asks.

use super::Mount;
use std::path::{Component, Path};

/// What belongs to the kernel or to the machine: neither it nor anything in it.
const SYSTEM: &[&str] =
    &["/proc", "/sys", "/dev", "/boot", "/etc", "/run/containerd", "/run/docker", "/run/podman"];

/// What holds far more than one workload needs: not as a whole. A folder deep inside may be one of ours.
const WHOLE: &[&str] = &["/root", "/home", "/usr", "/opt", "/var/lib/docker", "/var/lib/containerd"];

/// Control sockets of engines, under the names they have on every machine.
const SOCKETS: &[&str] = &["/run/docker.sock", "/var/run/docker.sock", "/run/crio/crio.sock"];

/// Why `mount` must be refused; `None` when it may be shown.
///
/// `resolved` is its source with every link followed, and `sockets` are the engine sockets this node uses
/// beside the well-known ones: neither a socket nor a folder above one is ever shown.
pub fn refusal(mount: &Mount, resolved: &Path, sockets: &[&Path]) -> Option<String> {
    let source = resolved.display();
    let holds = |inner: &str| Path::new(inner).starts_with(resolved);
    if !plain(&mount.target) || mount.target.parent().is_none() {
        return Some(format!("mount target {} is not an absolute path below /", mount.target.display()));
    }
    if let Some(system) = ["/proc", "/sys", "/dev"].iter().find(|s| mount.target.starts_with(s)) {
        return Some(format!("mount target {} would cover {system}", mount.target.display()));
    }
    if !plain(resolved) {
        return Some(format!("mount source {source} is not an absolute path"));
    }
    if SOCKETS.iter().any(|s| holds(s) || resolved.starts_with(s))
        || sockets.iter().any(|s| s.starts_with(resolved) || resolved.starts_with(s))
    {
        return Some(format!("mount source {source} leads to a container engine's control socket"));
    }
    if SYSTEM.iter().any(|s| holds(s) || resolved.starts_with(s)) || WHOLE.iter().any(|s| holds(s)) {
        return Some(format!("mount source {source} belongs to the machine, not to a task"));
    }
    None
}

/// Absolute and without `.` or `..`.
fn plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir) && parts.all(|c| matches!(c, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(source: &str, target: &str) -> Option<String> {
        let mount = Mount { source: source.into(), target: target.into(), read_only: true };
        refusal(&mount, Path::new(source), &[Path::new("/srv/engine/api.sock")])
    }

    #[test]
    fn folders_of_a_node_pass() {
        for good in [
            "/var/lib/ikigai/workspaces/t1",
            "/root/.local/share/ikigai/gates/t1",
            "/run/user/1000/ikigai/t1",
            "/var/lib/docker/volumes/ikigai/_data/workspaces/t1",
            "/tmp/x",
            "/srv/engine-data",
        ] {
            assert_eq!(judge(good, "/work"), None, "{good}");
        }
    }

    #[test]
    fn sockets_and_every_folder_above_them_are_refused() {
        for bad in [
            "/",
            "/run",
            "/var",
            "/var/run",
            "/var/run/docker.sock",
            "/run/docker.sock",
            "/srv/engine",
            "/srv",
        ] {
            assert!(judge(bad, "/work").unwrap().contains("control socket"), "{bad}");
        }
    }

    #[test]
    fn the_machine_itself_is_refused() {
        for bad in [
            "/proc",
            "/proc/1",
            "/sys",
            "/dev/sda",
            "/etc",
            "/etc/ssh",
            "/root",
            "/home",
            "/usr",
            "/boot",
            "/var/lib/docker",
            "/run/containerd/x",
            "relative",
            "/tmp/../etc",
        ] {
            assert!(judge(bad, "/work").is_some(), "{bad}");
        }
    }

    #[test]
    fn targets_stay_off_the_kernels_folders() {
        for bad in ["/", "work", "/work/../proc", "/proc/x", "/sys", "/dev/shm"] {
            assert!(judge("/tmp/x", bad).is_some(), "{bad}");
        }
    }
}
