//! The system-call filter of every container: what builds, tests, editors and debuggers call, and nothing else.
//!
//! An own one, because the engines' default lets a container make sockets of any family, and those to the
//! machine a virtual machine runs on (`AF_VSOCK`) are held by no network namespace.

use serde_json::{Value, json};

/// The filter in the engine's words.
pub fn profile() -> String {
    let socket = |call: &str, family: i32| rule(&[call], vec![argument(0, "SCMP_CMP_EQ", family.into(), 0)]);
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let mut rules = vec![rule(CALLS, Vec::new())];
    rules.extend(families.map(|family| socket("socket", family)));
    rules.push(socket("socketpair", libc::AF_UNIX));
    rules.push(rule(&["clone"], vec![argument(0, "SCMP_CMP_MASKED_EQ", NAMESPACES, 0)]));
    let personalities = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
    rules.extend(personalities.map(|p| rule(&["personality"], vec![argument(0, "SCMP_CMP_EQ", p, 0)])));
    // Its flags are out of a filter's sight; libraries fall back to `clone` when it is not there.
    rules.push(
        json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS, "args": [] }),
    );
    // No second architecture: the 32-bit calls would reach sockets by another door.
    let architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"];
    let architectures = architectures.map(|a| json!({ "architecture": a, "subArchitectures": [] }));
    json!({ "defaultAction": "SCMP_ACT_ERRNO", "archMap": architectures, "syscalls": rules }).to_string()
}

fn rule(names: &[&str], args: Vec<Value>) -> Value {
    json!({ "names": names, "action": "SCMP_ACT_ALLOW", "args": args })
}

fn argument(index: u32, op: &str, value: i64, second: i64) -> Value {
    json!({ "index": index, "op": op, "value": value, "valueTwo": second })
}

/// Every flag of `clone` that makes a namespace.
const NAMESPACES: i64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as i64;

/// Allowed whatever their arguments. A name an engine does not know is passed over by it.
#[rustfmt::skip]
const CALLS: &[&str] = &[
    // Files.
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
    "faccessat", "faccessat2", "fadvise64", "fallocate", "fanotify_mark", "fchdir", "fchmod", "fchmodat",
    "fchmodat2", "fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr",
    "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64",
    "getxattr", "getxattrat", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "ioctl",
    "lchown", "lgetxattr", "link", "linkat", "listxattr", "listxattrat", "llistxattr", "lremovexattr", "lseek",
    "lsetxattr", "lstat", "mkdir", "mkdirat", "mknod", "mknodat", "name_to_handle_at", "newfstatat", "open",
    "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
    "readlink", "readlinkat", "readv", "removexattr", "removexattrat", "rename", "renameat", "renameat2", "rmdir",
    "sendfile", "setxattr", "setxattrat", "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "sync",
    "sync_file_range", "syncfs", "tee", "truncate", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes",
    "vmsplice", "write", "writev", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup",
    "io_submit",
    // Memory.
    "brk", "cachestat", "madvise", "map_shadow_stack", "membarrier", "memfd_create", "memfd_secret", "mincore",
    "mlock", "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync", "munlock", "munlockall",
    "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages",
    // Waiting.
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "epoll_wait_old", "eventfd", "eventfd2", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake",
    "get_robust_list", "pause", "pipe", "pipe2", "poll", "ppoll", "pselect6", "select", "set_robust_list",
    "rseq",
    // Sockets that are there already; making one depends on its family.
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom",
    "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    // Processes, debugging included: of its own namespace, which holds nobody else.
    "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "getcpu", "getegid",
    "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid",
    "getresuid", "getrlimit", "getrusage", "getsid", "gettid", "getuid", "ioprio_get", "ioprio_set", "kcmp",
    "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "pidfd_getfd", "pidfd_open",
    "pidfd_send_signal", "prctl", "prlimit64", "process_mrelease", "process_vm_readv", "process_vm_writev",
    "ptrace", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
    "sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
    "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "set_thread_area", "get_thread_area",
    "set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups", "setpgid", "setpriority", "setregid",
    "setresgid", "setresuid", "setreuid", "setrlimit", "setsid", "setuid", "vfork", "wait4", "waitid",
    // Signals.
    "kill", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
    "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack", "signalfd",
    "signalfd4", "tgkill", "tkill",
    // Time.
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday", "nanosleep",
    "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
    "timerfd_create", "timerfd_gettime", "timerfd_settime", "times",
    // Between processes.
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget",
    "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget",
    // The rest.
    "getrandom", "sysinfo", "uname",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_is_on_no_list() {
        let profile: Value = serde_json::from_str(&profile()).unwrap();
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        for call in [
            "mount",
            "unshare",
            "setns",
            "bpf",
            "keyctl",
            "add_key",
            "perf_event_open",
            "userfaultfd",
            "io_uring_setup",
            "finit_module",
            "open_by_handle_at",
            "chroot",
            "pivot_root",
            "reboot",
            "syslog",
        ] {
            assert!(!CALLS.contains(&call), "{call}");
        }
        for call in ["socket", "socketpair", "clone", "clone3", "personality"] {
            assert!(!CALLS.contains(&call), "{call} depends on its arguments");
        }
    }

    #[test]
    fn each_call_is_named_once() {
        let mut names = CALLS.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CALLS.len());
    }
}
