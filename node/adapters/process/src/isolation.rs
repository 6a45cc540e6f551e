//! What this machine holds a workload to without an engine, in words for people.

use crate::cgroups::Cgroups;
use crate::sandbox;
use ikigai_ports::executor::Isolation;

/// Nothing is called enforced that was not found to work when the executor was made.
pub fn describe(cgroups: &Cgroups, as_root: bool) -> Isolation {
    let mut isolation = Isolation {
        name: "bubblewrap".to_owned(),
        enforced: [
            "no network but its own loopback",
            "no capabilities and no way to gain any",
            "a file system of its own, read-only",
            "user 10001 without rights",
            "own process, mount, IPC, host-name and cgroup namespaces",
            "no file larger than the disk limit",
        ]
        .map(str::to_owned)
        .into(),
        missing: vec![
            "the workspace as a whole may outgrow the disk limit until the node measures it".to_owned(),
            "the kernel is shared with the machine".to_owned(),
            "the programs under /usr are the machine's, not those of the image".to_owned(),
        ],
    };
    let claims = [
        (cgroups.memory, "memory limit"),
        (cgroups.cpu, "cpu limit"),
        (cgroups.pids, "limit on processes"),
        (sandbox::filtered(), "system-call filter"),
        (as_root, "a user of its own: outside, too, its user is 10001 and not the node's"),
    ];
    for (held, what) in claims {
        let list = if held { &mut isolation.enforced } else { &mut isolation.missing };
        list.push(what.to_owned());
    }
    isolation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_found_is_missing() {
        let bare = describe(&Cgroups::default(), false);
        for what in ["memory limit", "cpu limit", "limit on processes", "a user of its own"] {
            assert!(bare.missing.iter().any(|m| m.starts_with(what)), "{what}");
        }
        let mut held = Cgroups::default();
        held.memory = true;
        assert!(describe(&held, true).enforced.iter().any(|m| m == "memory limit"));
    }
}
