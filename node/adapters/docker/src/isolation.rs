//! What an engine holds a workload to, from what it says of itself.

use crate::user::User;
use bollard::models::SystemInfo;
use ikigai_ports::executor::Isolation;

/// In words for people: nothing is called enforced that the engine does not claim.
pub fn describe(engine: &SystemInfo, user: User) -> Isolation {
    let mut isolation = Isolation {
        name: "docker".to_owned(),
        enforced: [
            "no network but its own loopback",
            "no capabilities and no way to gain any",
            "root file system is read-only",
            "own process, mount, IPC, host-name and cgroup namespaces",
            "no file larger than the disk limit",
        ]
        .map(str::to_owned)
        .into(),
        missing: vec![
            "the workspace as a whole may outgrow the disk limit until the node measures it".to_owned(),
            "the kernel is shared with the machine".to_owned(),
        ],
    };
    if user == User::NOBODY {
        isolation.enforced.push(format!("user {} without rights", user.uid));
    } else {
        let what = "a user of its own: it is the node's user, for the node is not root";
        isolation.missing.push(what.to_owned());
    }
    let claims = [
        (engine.memory_limit == Some(true), "memory limit"),
        (engine.swap_limit == Some(true), "swap limit"),
        (engine.cpu_cfs_quota == Some(true), "cpu limit"),
        (engine.pids_limit == Some(true), "limit on processes"),
        (filters(engine), "system-call filter"),
        (
            has(engine, "userns") || has(engine, "rootless"),
            "user ids of its own: a user inside is another outside",
        ),
    ];
    for (held, what) in claims {
        let list = if held { &mut isolation.enforced } else { &mut isolation.missing };
        list.push(what.to_owned());
    }
    isolation
}

/// Whether it takes a system-call filter.
pub fn filters(engine: &SystemInfo) -> bool {
    has(engine, "seccomp")
}

fn has(engine: &SystemInfo, name: &str) -> bool {
    let name = format!("name={name}");
    engine.security_options.iter().flatten().any(|option| option.starts_with(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_does_not_claim_is_missing() {
        let weak = describe(&SystemInfo::default(), User::NOBODY);
        assert!(weak.missing.iter().any(|m| m == "memory limit"));
        assert!(weak.missing.iter().any(|m| m == "system-call filter"));
        let options = Some(vec!["name=seccomp,profile=default".to_owned(), "name=rootless".to_owned()]);
        let engine = SystemInfo { memory_limit: Some(true), security_options: options, ..Default::default() };
        let strong = describe(&engine, User { uid: 1000, gid: 1000 });
        assert!(strong.missing.iter().any(|m| m.contains("the node's user")));
        assert!(strong.enforced.iter().any(|m| m == "memory limit"));
        assert!(strong.enforced.iter().any(|m| m == "system-call filter"));
        assert!(strong.missing.iter().any(|m| m.contains("disk limit")), "no engine holds the workspace");
    }
}
