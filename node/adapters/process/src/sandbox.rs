//! The sandbox a workload gets: every flag of bubblewrap, in one place.

use ikigai_ports::executor::{Mount, WORKLOAD_UID, WorkloadSpec};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a workload sees of the machine's own files, beside `/usr`: what dynamic programs, certificates and
/// Debian's alternatives need. Nothing that tells of its users or its network.
const SHOWN: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/localtime",
    "/etc/mime.types",
];

/// Files of `/proc` that tell of the machine; they read as empty.
const MASKED: &[&str] =
    &["/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/sched_debug"];

/// The top folders that are links into `/usr` on most machines.
const TOP: &[&str] = &["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Size of `/dev/shm`.
const SHARED_MEMORY: u64 = 64 << 20;

/// Where the files that stand for the machine's accounts and names are.
#[derive(Debug, Clone)]
pub struct Etc(PathBuf);

impl Etc {
    /// Writes them under `folder`.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub fn create(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        for (name, text) in Self::files() {
            std::fs::write(folder.join(name), text)?;
        }
        Ok(Self(folder.to_owned()))
    }

    fn files() -> [(&'static str, String); 5] {
        let user = format!("agent:x:{WORKLOAD_UID}:{WORKLOAD_UID}:agent:/home/agent:/bin/bash\n");
        [
            ("passwd", format!("root:x:0:0:root:/root:/usr/sbin/nologin\n{user}")),
            ("group", format!("root:x:0:\nagent:x:{WORKLOAD_UID}:\n")),
            ("hosts", "127.0.0.1 localhost agent\n::1 localhost\n".to_owned()),
            ("hostname", "agent\n".to_owned()),
            ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n".to_owned()),
        ]
    }
}

/// bubblewrap's options for `spec`, as it reads them from a file: each ended by a zero byte.
///
/// `mounts` are checked and have their links followed. `as_root` when bubblewrap has the machine's root: it
/// then makes no user namespace, and `enter.sh` changes to the workload's user.
pub fn arguments(spec: &WorkloadSpec, mounts: &[Mount], etc: &Etc, as_root: bool) -> Vec<u8> {
    let mut args = Arguments::default();
    // First in its own namespaces, in a session of its own. It must outlive the node that launched it, so
    // nothing here ties it to its parent.
    args.add(["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]);
    args.add(["--as-pid-1", "--new-session", "--clearenv", "--hostname", "agent", "--cap-drop", "ALL"]);
    if as_root {
        // For enter.sh alone, which gives them up: the workload has none.
        for right in ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_CHOWN"] {
            args.add(["--cap-add", right]);
        }
    } else {
        let uid = WORKLOAD_UID.to_string();
        args.add(["--unshare-user", "--uid", &uid, "--gid", &uid]);
    }
    args.add(["--info-fd", "4", "--seccomp", "5"].into_iter().take(if filtered() { 4 } else { 2 }));
    system(&mut args, etc);
    kernel(&mut args);
    private(&mut args, spec);
    for mount in mounts {
        way_to(&mount.target, &mut args);
        let flag = if mount.read_only { "--ro-bind" } else { "--bind" };
        args.add([flag.as_ref(), mount.source.as_os_str(), mount.target.as_os_str()]);
    }
    // Last: until here folders are made in them.
    args.add(["--remount-ro", "/", "--remount-ro", "/dev"]);
    args.add(["--chdir".as_ref(), spec.workdir.as_os_str()]);
    let given = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/home/agent")];
    for (key, value) in given {
        args.add(["--setenv", key, value]);
    }
    for (key, value) in &spec.env {
        args.add(["--setenv", key, value]);
    }
    args.0
}

/// The folders above a mount: bubblewrap makes them for its own user alone unless it is told.
fn way_to(target: &Path, args: &mut Arguments) {
    let above: Vec<_> = target.ancestors().skip(1).filter(|p| p.parent().is_some()).collect();
    for folder in above.into_iter().rev() {
        args.add(["--perms".as_ref(), "0755".as_ref(), "--dir".as_ref(), folder.as_os_str()]);
    }
}

/// Whether there is a system-call filter for this machine's processor.
pub fn filtered() -> bool {
    crate::seccomp::filter().is_some()
}

fn system(args: &mut Arguments, etc: &Etc) {
    args.add(["--ro-bind", "/usr", "/usr"]);
    for top in TOP {
        match std::fs::read_link(top) {
            Ok(target) => args.add(["--symlink".as_ref(), target.as_os_str(), top.as_ref()]),
            Err(_) => args.add(["--ro-bind-try", top, top]),
        }
    }
    args.add(["--dir", "/etc", "--dir", "/run", "--dir", "/var", "--dir", "/home"]);
    for (name, _) in Etc::files() {
        let shown = Path::new("/etc").join(name);
        args.add(["--ro-bind".as_ref(), etc.0.join(name).as_os_str(), shown.as_os_str()]);
    }
    for shown in SHOWN {
        args.add(["--ro-bind-try", shown, shown]);
    }
}

fn kernel(args: &mut Arguments) {
    args.add(["--proc", "/proc", "--dev", "/dev"]);
    for masked in MASKED.iter().filter(|path| Path::new(path).exists()) {
        args.add(["--ro-bind", "/dev/null", masked]);
    }
}

/// The only places outside its mounts that a workload may write: in memory, counted as its memory.
fn private(args: &mut Arguments, spec: &WorkloadSpec) {
    let size = (spec.limits.memory_bytes / 2).max(1 << 20).to_string();
    let shared = SHARED_MEMORY.min(spec.limits.memory_bytes).to_string();
    let folders = [("1777", &size, "/tmp"), ("0700", &size, "/home/agent"), ("1777", &shared, "/dev/shm")];
    for (mode, size, folder) in folders {
        args.add(["--perms", mode, "--size", size, "--tmpfs", folder]);
    }
}

#[derive(Debug, Default)]
struct Arguments(Vec<u8>);

impl Arguments {
    fn add<A: Into<OsString>>(&mut self, words: impl IntoIterator<Item = A>) {
        for word in words {
            self.0.extend_from_slice(word.into().as_bytes());
            self.0.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_ports::executor::Role;
    use ikigai_types::{AttemptId, Epoch, Fence, Limits, NodeId};

    fn words(as_root: bool) -> Vec<String> {
        let attempt = AttemptId { task: "t".parse().unwrap(), number: 1 };
        let spec = WorkloadSpec {
            node: NodeId::from_bytes([7; 32]),
            fence: Fence { attempt, epoch: Epoch(3) },
            role: Role::Agent,
            image: String::new(),
            command: vec!["true".into()],
            env: [("A".to_owned(), "b c".to_owned())].into(),
            mounts: Vec::new(),
            workdir: "/work".into(),
            limits: Limits::default(),
        };
        let mounts = [Mount { source: "/s p".into(), target: "/work".into(), read_only: true }];
        let text = arguments(&spec, &mounts, &Etc("/etc-of-ours".into()), as_root);
        text.split(|b| *b == 0).map(|w| String::from_utf8(w.to_vec()).unwrap()).collect()
    }

    fn has(words: &[String], wanted: &[&str]) -> bool {
        words.windows(wanted.len()).any(|w| w == wanted)
    }

    #[test]
    fn the_sandbox_is_locked_down() {
        for as_root in [true, false] {
            let words = words(as_root);
            for space in ["ipc", "pid", "net", "uts"] {
                assert!(has(&words, &[&format!("--unshare-{space}")]), "{space}");
            }
            assert!(has(&words, &["--new-session"]));
            assert!(has(&words, &["--cap-drop", "ALL"]) && has(&words, &["--clearenv"]));
            assert!(has(&words, &["--remount-ro", "/"]));
            assert!(has(&words, &["--ro-bind", "/s p", "/work"]), "a name with a space is one name");
            assert!(has(&words, &["--setenv", "A", "b c"]));
            assert!(!words.iter().any(|w| w == "--share-net" || w == "--die-with-parent"));
            assert!(!has(&words, &["--ro-bind", "/", "/"]));
            assert_eq!(has(&words, &["--unshare-user"]), !as_root);
            assert_eq!(has(&words, &["--uid", "10001"]), !as_root);
        }
    }
}
