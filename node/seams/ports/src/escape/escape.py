#!/usr/bin/env python3
"""Tries to get out of where it runs, and tells of each try on a line of JSON.

Run as a workload it must fail at everything; run on the machine itself, as root and with --control, it must
succeed at every probe that can succeed anywhere, which shows that the probes are real. A probe goes only as
far as it takes to see that the way is open: files of the kernel are opened and not written, calls get
arguments that do nothing.

    {"probe": "mount_tmpfs", "blocked": true, "detail": "EPERM", "control": true}
    …
    {"done": 57}

ESCAPE_TARGETS holds what the machine outside really offers, as JSON: "tcp4", "tcp6", "udp" (lists of [address,
port]; "tcp6" is null where there is none), "abstract" (a socket's name), "socket" (a socket's path), "file" (a file's path), "pid" (a process that
has the canary in its environment), "canary" (its two halves).
"""

import ctypes
import errno
import glob
import json
import os
import platform
import resource
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

TARGETS = json.loads(os.environ.get("ESCAPE_TARGETS", "{}"))
CANARY = "".join(TARGETS.get("canary", ["no", "ne"])).encode()
SCRATCH = os.environ.get("ESCAPE_SCRATCH", "/work")
WITHIN = 8  # seconds a probe may take
PROBES = []

libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {
    "x86_64": dict(
        add_key=248, keyctl=250, bpf=321, perf_event_open=298, finit_module=313, init_module=175, kexec_load=246,
        reboot=169, swapon=167, iopl=172, syslog=103, setns=308, unshare=272, mount=165, umount2=166,
        pivot_root=155, fsopen=430, open_tree=428, move_mount=429, name_to_handle_at=303, open_by_handle_at=304,
        process_vm_readv=310, ptrace=101, clone3=435, chroot=161, quotactl=179, acct=163, pidfd_open=434,
        pidfd_getfd=438, fanotify_init=300,
    ),
    "aarch64": dict(
        add_key=217, keyctl=219, bpf=280, perf_event_open=241, finit_module=273, init_module=105, kexec_load=104,
        reboot=142, swapon=224, iopl=-1, syslog=116, setns=268, unshare=97, mount=40, umount2=39, pivot_root=41,
        fsopen=430, open_tree=428, move_mount=429, name_to_handle_at=264, open_by_handle_at=265,
        process_vm_readv=270, ptrace=117, clone3=435, chroot=51, quotactl=60, acct=89, pidfd_open=434,
        pidfd_getfd=438, fanotify_init=262,
    ),
}[platform.machine()]

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000


class Held(Exception):
    """The way is closed."""


def probe(control=True):
    """A function that raises when its way is closed, and answers what it got when it is open."""
    def keep(function):
        PROBES.append((function.__name__, function, control))
        return function
    return keep


def call(name, *arguments, looked_at=()):
    """A system call. An error in `looked_at` means that the kernel was willing and only the arguments bad."""
    number = NUMBERS[name]
    if number < 0:
        raise Held("not on this processor")
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(number), *[
        ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if answer >= 0:
        return answer
    code = ctypes.get_errno()
    if code in looked_at:
        return 0
    raise OSError(code, name)


def first_open(attempts):
    """The first of many tries that succeeds; else how the last one failed."""
    last = Held("nothing to try")
    for attempt in attempts:
        try:
            got = attempt()
            if got:
                return got
        except (OSError, Held) as error:
            last = error
    raise last


def opened(path, flags):
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
    os.close(descriptor)
    return f"{path} opens"


def read_some(path):
    with open(path, "rb", buffering=0) as file:
        got = file.read(16)
    if not got:
        raise Held(f"{path} is empty")
    return f"{path} reads"


def scratch(name):
    return os.path.join(SCRATCH, f"{name}-{os.getpid()}")


def others():
    """Every visible process but this one and those it made."""
    mine = {os.getpid(), os.getppid(), 1 if os.getppid() in (0, 1) else -1}
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) not in mine]


# --- the network ---

def connect(family, target):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(1.5)
        s.connect(target)
        return f"connected to {target}"


@probe()
def tcp4_to_the_machine():
    return first_open([lambda t=t: connect(socket.AF_INET, tuple(t)) for t in TARGETS["tcp4"]])


@probe(control=bool(TARGETS.get("tcp6")))
def tcp6_to_the_machine():
    return first_open([lambda t=t: connect(socket.AF_INET6, tuple(t)) for t in TARGETS["tcp6"] or [["::1", 1]]])


@probe()
def udp_answers():
    def ask(target):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1.5)
            s.sendto(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1", target)
            return f"answer of {len(s.recv(512))} bytes from {target}"
    return first_open([lambda t=t: ask(tuple(t)) for t in TARGETS["udp"]])


@probe(control=False)
def names_resolve():
    return str(socket.getaddrinfo("example.com", 80)[0][4])


@probe(control=False)
def cloud_metadata():
    places = [(socket.AF_INET, ("169.254.169.254", 80)), (socket.AF_INET, ("100.100.100.200", 80)),
              (socket.AF_INET6, ("fd00:ec2::254", 80))]
    return first_open([lambda p=p: connect(*p) for p in places])


@probe(control=False)
def private_networks():
    places = [("10.0.0.1", 22), ("192.168.0.1", 80), ("172.17.0.1", 22), ("100.64.0.1", 80), ("1.1.1.1", 443)]
    return first_open([lambda p=p: connect(socket.AF_INET, p) for p in places])


@probe()
def other_interfaces():
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    up = [n for n in names if not n.startswith(("tunl", "sit", "ip6tnl", "gre", "erspan", "ip_vti", "ip6_vti"))]
    if not up:
        raise Held("only lo")
    return " ".join(up)


@probe()
def raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return "made"


@probe()
def packet_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).close()
    return "made"


@probe(control=os.path.exists("/dev/vsock"))
def virtual_machine_socket():
    with socket.socket(40, socket.SOCK_STREAM) as s:  # AF_VSOCK, which no network namespace holds
        s.settimeout(1)
        try:
            s.connect((2, 1024))
        except OSError as error:
            return f"made; the machine's own host answers {error}"
    return "connected to the machine's own host"


@probe()
def abstract_socket_of_the_machine():
    return connect(socket.AF_UNIX, "\0" + TARGETS["abstract"])


@probe()
def socket_of_another_agent():
    path = TARGETS["socket"]
    found = [path] + glob.glob("/run/ikigai/*/*.sock") + glob.glob("/run/ikigai/../*/gateway.sock")
    found += glob.glob("/proc/[0-9]*/root" + path)
    return first_open([lambda p=p: connect(socket.AF_UNIX, p) for p in found])


@probe(control=os.path.exists("/var/run/docker.sock"))
def engine_socket():
    names = ["docker.sock", "containerd/containerd.sock", "podman/podman.sock", "crio/crio.sock", "dockershim.sock",
             "docker/metrics.sock", "snapd.socket", "dbus/system_bus_socket", "systemd/private"]
    paths = [f"{base}/{n}" for n in names for base in ("/run", "/var/run", "/host/run", "/proc/1/root/run")]
    return first_open([lambda p=p: connect(socket.AF_UNIX, p) for p in paths])


# --- the machine's files ---

@probe()
def file_of_the_machine():
    path = TARGETS["file"]
    if CANARY not in open(path, "rb").read():
        raise Held("another file")
    return path


@probe()
def file_through_proc():
    path = TARGETS["file"]
    ways = [f"/proc/{p}/{way}{path}" for p in os.listdir("/proc") if p.isdigit() for way in ("root", "cwd")]
    return first_open([lambda w=w: read_some(w) for w in ways])


@probe()
def file_through_a_link():
    link = scratch("link")
    os.symlink(TARGETS["file"], link)
    try:
        return read_some(link)
    finally:
        os.unlink(link)


@probe()
def file_through_a_parent():
    up = os.path.join(SCRATCH, *[".."] * 20, TARGETS["file"].lstrip("/"))
    return read_some(up)


@probe()
def folders_of_engines_and_nodes():
    places = ["/var/lib/docker", "/var/lib/containerd", "/run/docker", "/var/lib/ikigai", "/root", "/boot",
              "/etc/shadow", "/host", "/mnt/host"]

    def look(place):
        names = os.listdir(place) if os.path.isdir(place) else [read_some(place)]
        return names and f"{place}: {len(names)}"
    return first_open([lambda p=p: look(p) for p in places])


@probe()
def file_by_handle():
    size = 128
    handle = ctypes.create_string_buffer(struct.pack("Ii", size, 0) + bytes(size), 8 + size)
    mount = ctypes.c_int()
    at = -100
    call("name_to_handle_at", at, ctypes.c_char_p(SCRATCH.encode()), handle, ctypes.byref(mount), 0)
    where = os.open(SCRATCH, os.O_RDONLY)
    os.close(call("open_by_handle_at", where, handle, os.O_RDONLY))
    return "opened"


@probe()
def write_the_root_file_system():
    def write(folder):
        path = f"{folder}/.escape-{os.getpid()}"
        open(path, "w").close()
        os.unlink(path)
        return folder
    return first_open([lambda f=f: write(f) for f in ("/usr", "/etc", "/var", "/opt", "/", "/usr/local/bin", "/root")])


# --- devices and mounts ---

@probe()
def raw_devices():
    names = ["mem", "kmem", "port", "kmsg", "sda", "vda", "xvda", "nvme0n1", "mapper/control", "loop-control", "kvm",
             "fuse", "net/tun", "vhost-net", "vhost-vsock", "vsock", "uinput", "input/event0", "snapshot", "sg0",
             "nvidia0", "dri/card0", "hwrng", "cpu/0/msr", "watchdog"]
    return first_open([lambda n=n: opened(f"/dev/{n}", os.O_RDONLY) for n in names if n != "watchdog"])


def device(kind, major, minor):
    path = scratch("node")
    os.mknod(path, kind | 0o600, os.makedev(major, minor))
    try:
        return opened(path, os.O_RDONLY)
    finally:
        os.unlink(path)


@probe()
def make_a_disk_node():
    disks = []
    for entry in glob.glob("/sys/class/block/*/dev"):
        with open(entry) as file:
            disks.append(tuple(int(n) for n in file.read().split(":")))
    disks += [(8, 0), (254, 0), (259, 0), (252, 0), (7, 0)]
    return first_open([lambda d=d: device(stat.S_IFBLK, *d) for d in disks])


@probe()
def make_a_memory_node():
    return first_open([lambda m=m: device(stat.S_IFCHR, 1, m) for m in (1, 4, 11)])


def mount(source, target, kind, flags=0):
    text = [ctypes.c_char_p(t.encode()) if t else ctypes.c_char_p(None) for t in (source, target, kind)]
    call("mount", text[0], text[1], text[2], flags, ctypes.c_char_p(None))
    call("umount2", text[1], 2)
    return f"{kind or 'bind'} mounted"


def mounting(source, kind, flags=0):
    target = scratch("mount")
    os.mkdir(target)
    try:
        return mount(source, target, kind, flags)
    finally:
        os.rmdir(target)


@probe()
def mount_tmpfs():
    return mounting("none", "tmpfs")


@probe()
def mount_proc():
    return mounting("none", "proc")


@probe()
def mount_a_bind():
    return mounting("/", None, 4096)


@probe(control=False)
def remount_the_root_writable():
    call("mount", ctypes.c_char_p(None), ctypes.c_char_p(b"/"), ctypes.c_char_p(None), 32 | 4096, ctypes.c_char_p(None))
    return "remounted"


@probe()
def mount_by_the_new_calls():
    def fsopen():
        os.close(call("fsopen", ctypes.c_char_p(b"tmpfs"), 0))
        return "fsopen"

    def open_tree():
        os.close(call("open_tree", -100, ctypes.c_char_p(b"/"), 1))
        return "open_tree"
    return first_open([fsopen, open_tree])


@probe(control=False)
def mount_a_control_group():
    return first_open([lambda k=k: mounting("none", k) for k in ("cgroup2", "cgroup")])


@probe()
def change_the_root():
    call("chroot", ctypes.c_char_p(b"/"))
    return "changed"


# --- the kernel's files ---

@probe()
def control_group_files():
    names = ["release_agent", "notify_on_release", "cgroup.procs", "tasks", "devices.allow", "cgroup.subtree_control",
             "memory.max", "memory.limit_in_bytes", "pids.max", "freezer.state"]
    found = [f"{base}/{n}" for base in ["/sys/fs/cgroup"] + glob.glob("/sys/fs/cgroup/*") for n in names]
    return first_open([lambda f=f: opened(f, os.O_WRONLY) for f in found])


@probe()
def system_settings():
    names = ["kernel/core_pattern", "kernel/modprobe", "kernel/hotplug", "kernel/panic", "vm/overcommit_memory",
             "kernel/sysrq", "kernel/yama/ptrace_scope", "kernel/unprivileged_bpf_disabled", "net/ipv4/ip_forward"]
    return first_open([lambda n=n: opened(f"/proc/sys/{n}", os.O_WRONLY) for n in names if n != "net/ipv4/ip_forward"])


@probe(control=os.path.exists("/proc/sysrq-trigger"))
def system_request_trigger():
    return opened("/proc/sysrq-trigger", os.O_WRONLY)


@probe()
def files_of_sys():
    names = ["/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/profiling", "/sys/kernel/uevent_seqnum"]
    names += glob.glob("/sys/class/net/*/mtu") + glob.glob("/sys/block/*/queue/scheduler")
    names += glob.glob("/sys/module/*/parameters/*")[:200] + glob.glob("/sys/bus/pci/devices/*/remove")
    return first_open([lambda n=n: opened(n, os.O_WRONLY) for n in names])


@probe(control=os.path.exists("/proc/kcore"))
def memory_of_the_kernel():
    return read_some("/proc/kcore")


@probe()
def log_of_the_kernel():
    buffer = ctypes.create_string_buffer(4096)
    if call("syslog", 3, buffer, 4096) == 0:
        raise Held("empty")
    return "read"


@probe(control=False)
def addresses_of_the_kernel():
    with open("/proc/kallsyms") as file:
        if int(file.readline().split()[0], 16) == 0:
            raise Held("all zero")
    return "told"


@probe(control=False)
def debug_and_trace_file_systems():
    names = ["/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/fs/bpf", "/sys/firmware/efi"]
    return first_open([lambda n=n: os.listdir(n) and n for n in names])


# --- rights ---

def status():
    with open("/proc/self/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


@probe()
def capabilities():
    held = {k: v for k, v in status().items() if k.startswith("Cap") and int(v, 16)}
    if not held:
        raise Held("none in any set")
    return str(held)


@probe()
def programs_that_raise_rights():
    if status().get("NoNewPrivs") == "1":
        raise Held("no_new_privs")
    return "a setuid program would work"


@probe()
def become_root():
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    return "became root"


@probe()
def join_groups():
    os.setgroups([0, 4, 6, 999])
    return "joined"


@probe()
def give_a_file_to_root():
    path = scratch("owned")
    open(path, "w").close()
    try:
        os.chown(path, 0, 0)
        os.chmod(path, 0o4755)
        return "a setuid-root file was made"
    finally:
        os.unlink(path)


@probe()
def raise_priority():
    os.nice(-5)
    return "raised"


@probe(control=False)
def raise_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))
    except ValueError as error:
        raise Held(str(error)) from error
    return f"{hard} open files and one more"


@probe()
def rename_the_machine():
    name = socket.gethostname()
    socket.sethostname(name)
    return name


# --- namespaces and other processes ---

def unshared(flags):
    call("unshare", flags)
    return "made"


@probe()
def new_user_namespace():
    return unshared(CLONE_NEWUSER)


@probe()
def new_mount_namespace():
    return unshared(CLONE_NEWNS)


@probe()
def new_network_namespace():
    return unshared(CLONE_NEWNET)


@probe()
def new_namespace_by_clone3():
    # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
    arguments = struct.pack("8Q", CLONE_NEWUSER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    child = call("clone3", ctypes.c_char_p(arguments), len(arguments))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "made"


@probe()
def enter_namespaces_of_others():
    def enter(pid, kind):
        path = f"/proc/{pid}/ns/{kind}"
        descriptor = os.open(path, os.O_RDONLY)
        call("setns", descriptor, 0)
        return path
    pids = [1, TARGETS["pid"]] + others()[:20]
    return first_open([lambda p=p, k=k: enter(p, k) for p in pids for k in ("net", "uts", "ipc", "cgroup", "pid")])


@probe()
def processes_of_the_machine():
    with open(f"/proc/{TARGETS['pid']}/cmdline", "rb") as file:
        if b"sleep" not in file.read():
            raise Held("another process")
    return "seen"


@probe()
def trace_a_process():
    pid = TARGETS["pid"]
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        if b"sleep" not in file.read():
            raise Held("another process")
    call("ptrace", 16, pid, 0, 0)  # PTRACE_ATTACH
    os.waitpid(pid, 0)
    call("ptrace", 17, pid, 0, 0)  # PTRACE_DETACH
    return "attached"


@probe()
def memory_of_others():
    return first_open([lambda p=p: opened(f"/proc/{p}/mem", os.O_RDONLY) for p in [TARGETS["pid"]] + others()])


@probe()
def signal_a_process_of_the_machine():
    pid = TARGETS["pid"]
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        if b"sleep" not in file.read():
            raise Held("another process")
    os.kill(pid, 0)
    return "could be signalled"


# --- the kernel's machinery ---

@probe()
def keys():
    keyring = call("keyctl", 0, ctypes.c_int(-4), 1)  # KEYCTL_GET_KEYRING_ID of the user
    return f"keyring {keyring}"


@probe()
def add_a_key():
    call("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"escape"), ctypes.c_char_p(b"x"), 1, ctypes.c_int(-2))
    return "added"


@probe()
def bpf():
    attributes = struct.pack("IIII", 2, 4, 4, 1) + bytes(112)  # BPF_MAP_CREATE of an array
    os.close(call("bpf", 0, ctypes.c_char_p(attributes), len(attributes)))
    return "made a map"


@probe(control=False)
def performance_events():
    # Of the whole machine; PERF_COUNT_SW_CPU_CLOCK is there on any.
    attributes = struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 0) + bytes(64)
    os.close(call("perf_event_open", ctypes.c_char_p(attributes), ctypes.c_int(-1), 0, ctypes.c_int(-1), 0))
    return "opened"


BAD = (errno.EBADF, errno.EFAULT, errno.EINVAL, errno.ENOENT, errno.ENOEXEC)


@probe(control=os.path.exists("/proc/modules"))
def load_a_module():
    def by_file():
        call("finit_module", -1, ctypes.c_char_p(b""), 0, looked_at=BAD)
        return "finit_module looked at it"

    def by_memory():
        call("init_module", ctypes.c_char_p(b"x" * 64), 64, ctypes.c_char_p(b""), looked_at=BAD)
        return "init_module looked at it"
    return first_open([by_file, by_memory])


@probe(control=False)
def load_a_kernel():
    call("kexec_load", 0, 9999, None, 0, looked_at=BAD)
    return "looked at it"


@probe()
def restart_the_machine():
    call("reboot", 1, 2, 3, None, looked_at=BAD)  # no magic numbers: refused, but not for want of rights
    return "looked at it"


@probe()
def swap_to_a_file():
    call("swapon", ctypes.c_char_p(b"/nowhere/at/all"), 0, looked_at=BAD)
    return "looked at it"


@probe(control=False)
def input_and_output_ports():
    call("iopl", 3)
    return "opened"


@probe(control=False)
def watch_all_files():
    os.close(call("fanotify_init", 0, 0))
    return "watching"


# --- limits ---

@probe()
def many_processes():
    limit, children = 300, []
    try:
        for _ in range(limit):
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
        return f"{limit} processes"
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


@probe()
def much_memory():
    child = os.fork()
    if child == 0:
        block = bytearray(400 << 20)
        block[::4096] = b"x" * len(block[::4096])
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        raise Held("killed")
    return "400 MiB"


@probe()
def a_large_file():
    path = scratch("large")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with open(path, "wb") as file:
            file.seek(40 << 20)
            file.write(b"x")
        return "40 MiB"
    finally:
        os.unlink(path)


@probe()
def a_core_file():
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise Held("none, for good")
    return "could be written"


# --- credentials ---

@probe()
def environment_of_others():
    for entry in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(entry, "rb") as file:
                if CANARY in file.read():
                    return entry
        except OSError:
            pass
    raise Held("in no process")


@probe(control=False)
def own_environment():
    names = [n for n in os.environ if any(w in n.upper() for w in ("KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL"))]
    if not names:
        raise Held("no name that tells of one")
    return " ".join(names)


@probe()
def canary_in_files():
    places = [os.path.dirname(TARGETS["file"]), "/etc", "/run", "/tmp", "/home", "/var/lib", "/opt", "/srv", "/mnt", SCRATCH]
    seen, until = 0, time.monotonic() + WITHIN / 2
    for place in places:
        for folder, _, names in os.walk(place):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        seen += 1
                        with open(path, "rb") as file:
                            if CANARY in file.read(1 << 16):
                                return path
                except OSError:
                    pass
            if time.monotonic() > until:
                raise Held(f"not in the first {seen} files")
    raise Held(f"in none of {seen} files")


@probe(control=False)
def keys_of_people_and_programs():
    names = [".ssh", ".aws", ".config/gcloud", ".docker/config.json", ".netrc", ".codex/auth.json", ".git-credentials",
             ".radicle/keys", ".kube/config", ".npmrc", ".cargo/credentials.toml"]
    homes = ["/root", os.path.expanduser("~")] + glob.glob("/home/*")
    places = [f"{h}/{n}" for h in homes for n in names] + ["/run/secrets", "/var/run/secrets/kubernetes.io"]
    return first_open([lambda p=p: os.stat(p) and p for p in places])


# --- running them ---

def attempt(function):
    """Runs a probe in a process of its own: what it changes, and how it dies, stays there."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setpgid(0, 0)
        try:
            answer = [False, str(function())[:200]]
        except (OSError, Held) as error:
            code = getattr(error, "errno", None)
            answer = [True, errno.errorcode.get(code, str(error)) if code else str(error)]
        except BaseException as error:  # a probe that is broken shows nothing
            answer = [False, f"broken: {error!r}"]
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], WITHIN)
    text = os.read(reading, 4096) if ready else b""
    os.close(reading)
    if not text:
        for who in (child, -child):
            try:
                os.kill(who, signal.SIGKILL)
            except OSError:
                pass
    _, how = os.waitpid(child, 0)
    if text:
        return json.loads(text)
    return [True, "no answer in time" if not ready else f"ended with status {how}"]


def main():
    control = "--control" in sys.argv
    ran = 0
    for name, function, can_succeed in PROBES:
        if control and not can_succeed:
            continue
        blocked, detail = attempt(function)
        print(json.dumps(dict(probe=name, blocked=blocked, detail=detail, control=can_succeed)), flush=True)
        ran += 1
    print(json.dumps(dict(done=ran)), flush=True)


if __name__ == "__main__":
    main()
