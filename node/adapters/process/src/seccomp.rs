//! The system-call filter of a sandbox, as the program the kernel runs.
//!
//! Everything a build, a test run or an editor needs passes; what only leads to other namespaces, to the
//! kernel's own machinery or to sockets that no namespace holds is answered with an error.

/// The filter for this machine's processor; `None` on one it is not written for.
pub fn filter() -> Option<Vec<u8>> {
    let mut program =
        vec![load(ARCHITECTURE), jump(JEQ, audit_architecture()?, 1, 0), answer(KILL), load(NUMBER)];
    // On x86-64 the second, 32-bit-pointer numbering of the same calls begins here.
    program.extend([jump(JGE, 0x4000_0000, 0, 1), answer(errno(libc::ENOSYS))]);
    for call in ABSENT {
        program.extend([jump(JEQ, number(*call), 0, 1), answer(errno(libc::ENOSYS))]);
    }
    for call in DENIED {
        program.extend([jump(JEQ, number(*call), 0, 1), answer(errno(libc::EPERM))]);
    }
    program.extend(when(libc::SYS_clone, argument(0), &[(JSET, NAMESPACES)], libc::EPERM, false));
    let terminal = [(JEQ, TIOCSTI), (JEQ, TIOCLINUX)];
    program.extend(when(libc::SYS_ioctl, argument(1), &terminal, libc::EPERM, false));
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let families = families.map(|f| (JEQ, f.cast_unsigned()));
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        program.extend(when(call, argument(0), &families, libc::EAFNOSUPPORT, true));
    }
    program.push(answer(ALLOW));
    Some(program.iter().flat_map(Instruction::bytes).collect())
}

/// Libraries fall back to older calls when these are not there. `clone3` hides its flags from a filter.
const ABSENT: &[libc::c_long] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

const DENIED: &[libc::c_long] = &[
    // Other namespaces and file systems.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_fanotify_init,
    // The kernel's machinery.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_vhangup,
    libc::SYS_move_pages,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_set_mempolicy,
    // Keys are held per user, not per sandbox.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Every namespace `clone` can make.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET)
    .cast_unsigned();

/// Types into a terminal from behind.
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;

fn audit_architecture() -> Option<u32> {
    match std::env::consts::ARCH {
        "x86_64" => Some(0xc000_003e),
        "aarch64" => Some(0xc000_00b7),
        _ => None,
    }
}

// === The kernel's filter language ===

#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u16,
    yes: u8,
    no: u8,
    value: u32,
}

impl Instruction {
    fn bytes(&self) -> [u8; 8] {
        let (code, value) = (self.code.to_ne_bytes(), self.value.to_ne_bytes());
        [code[0], code[1], self.yes, self.no, value[0], value[1], value[2], value[3]]
    }
}

const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;

/// Where a call's number, its architecture and the low half of its arguments stand.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

const fn argument(index: u32) -> u32 {
    let low = if cfg!(target_endian = "big") { 4 } else { 0 };
    16 + 8 * index + low
}

const fn errno(code: i32) -> u32 {
    0x0005_0000 | code.cast_unsigned()
}

const fn load(offset: u32) -> Instruction {
    Instruction { code: 0x20, yes: 0, no: 0, value: offset }
}

const fn answer(value: u32) -> Instruction {
    Instruction { code: 0x06, yes: 0, no: 0, value }
}

const fn jump(code: u16, value: u32, yes: u8, no: u8) -> Instruction {
    Instruction { code, yes, no, value }
}

fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).expect("invariant: the kernel numbers its calls from 0")
}

/// For `call`: refuses with `code` when the value at `offset` meets one of `tests`; with `only`, when it
/// meets none. Any other call passes on to what follows, the number loaded again.
fn when(call: libc::c_long, offset: u32, tests: &[(u16, u32)], code: i32, only: bool) -> Vec<Instruction> {
    let count = u8::try_from(tests.len()).expect("invariant: a handful of tests");
    let mut part = vec![jump(JEQ, number(call), 0, count + 4), load(offset)];
    let (met, unmet) = if only { (ALLOW, errno(code)) } else { (errno(code), ALLOW) };
    for (left, (test, value)) in (0..count).rev().zip(tests) {
        part.push(jump(*test, *value, left + 1, 0));
    }
    part.extend([answer(unmet), answer(met), load(NUMBER)]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer: the filter run by hand.
    fn ask(call: libc::c_long, arguments: [u64; 2]) -> u32 {
        let program = filter().expect("tests run on a known processor");
        let word = |offset: u32| match offset {
            NUMBER => number(call),
            ARCHITECTURE => audit_architecture().unwrap(),
            at if at == argument(0) => arguments[0] as u32,
            at if at == argument(1) => arguments[1] as u32,
            at => panic!("reads at {at}"),
        };
        let (mut at, mut loaded) = (0, 0);
        loop {
            let b = &program[at * 8..at * 8 + 8];
            let value = u32::from_ne_bytes([b[4], b[5], b[6], b[7]]);
            at += 1;
            let holds = match u16::from_ne_bytes([b[0], b[1]]) {
                0x20 => {
                    loaded = word(value);
                    continue;
                }
                0x06 => return value,
                JEQ => loaded == value,
                JGE => loaded >= value,
                JSET => loaded & value != 0,
                code => panic!("code {code:#x}"),
            };
            at += usize::from(if holds { b[2] } else { b[3] });
        }
    }

    #[test]
    fn ordinary_work_passes() {
        let passes = [libc::SYS_read, libc::SYS_write, libc::SYS_execve, libc::SYS_openat, libc::SYS_futex];
        for call in passes {
            assert_eq!(ask(call, [0, 0]), ALLOW, "call {call}");
        }
        assert_eq!(ask(libc::SYS_clone, [libc::CLONE_VM as u64 | 17, 0]), ALLOW);
        assert_eq!(ask(libc::SYS_ioctl, [0, 0x5401]), ALLOW);
        for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK] {
            assert_eq!(ask(libc::SYS_socket, [family as u64, 0]), ALLOW);
        }
    }

    #[test]
    fn ways_out_are_answered_with_an_error() {
        for call in DENIED {
            assert_eq!(ask(*call, [0, 0]), errno(libc::EPERM), "call {call}");
        }
        assert_eq!(ask(libc::SYS_clone3, [0, 0]), errno(libc::ENOSYS));
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWNS] {
            assert_eq!(ask(libc::SYS_clone, [flag as u64, 0]), errno(libc::EPERM));
        }
        assert_eq!(ask(libc::SYS_ioctl, [0, TIOCSTI.into()]), errno(libc::EPERM));
        for family in [libc::AF_VSOCK, libc::AF_PACKET, libc::AF_ALG, 0] {
            assert_eq!(ask(libc::SYS_socket, [family as u64, 0]), errno(libc::EAFNOSUPPORT));
        }
        assert_eq!(ask(0x4000_0000, [0, 0]), errno(libc::ENOSYS), "the other numbering");
    }
}
