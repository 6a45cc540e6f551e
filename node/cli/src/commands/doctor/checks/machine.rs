//! This machine: disk, clock, what isolates agents, free addresses.

use super::Check;
use crate::env::Env;
use crate::programs::on_path;
use ikigai::Config;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

/// Free disk below which new work is in danger, in bytes.
const LITTLE_DISK: u64 = 5 << 30;
/// Where nodes of a mesh reach each other unless it is configured.
const MESH_PORT: u16 = 7421;

pub(super) fn disk(env: &Env) -> Option<Check> {
    let dir = env.state_dir().ok()?;
    let stat = dir.ancestors().find_map(|d| rustix::fs::statvfs(d).ok())?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let found = format!("{} free", crate::human::bytes(free));
    Some(if free < LITTLE_DISK {
        Check::warn("disk", found, "free some space, or put the state elsewhere with --home")
    } else {
        Check::ok("disk", found)
    })
}

/// Whether something keeps the clock right. How far it is off can only be said beside another clock: `ikigai join`
/// does.
pub(super) fn clock() -> Check {
    let args = ["show", "-p", "NTPSynchronized", "--value"];
    let asked = Command::new("timedatectl").args(args).stdin(Stdio::null()).output();
    let said = asked.ok().filter(|out| out.status.success()).map(|out| out.stdout.trim_ascii().to_vec());
    match said.as_deref() {
        Some(b"yes") => Check::ok("clock", "it is kept right by the network's time"),
        Some(b"no") => Check::warn(
            "clock",
            "nothing keeps it right: ages and dates on other machines will be wrong",
            "run: timedatectl set-ntp true",
        ),
        _ => Check::ok("clock", "this machine does not say whether its clock is kept right"),
    }
}

/// Docker's engine, or what stands in for it.
pub(super) fn sandbox(config: &Config) -> Check {
    if config.executor.backend == "process" {
        return bubblewrap();
    }
    let socket = config.executor.docker_socket();
    let shown = socket.display();
    match UnixStream::connect(&socket) {
        Ok(_) => Check::ok("docker", format!("an engine answers on {shown}")),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Check::fail(
            "docker",
            format!("{shown} may not be used by this user"),
            "add the user to the group docker",
        ),
        Err(_) => Check::fail(
            "docker",
            format!("no engine answers on {shown}"),
            "run: make setup; or choose bubblewrap, which isolates less: IKIGAI_EXECUTOR_BACKEND=process",
        ),
    }
}

fn bubblewrap() -> Check {
    if on_path("bwrap").is_some() {
        let fix = "it isolates less than Docker; for Docker, run: make setup";
        return Check::warn("docker", "the process executor is chosen; bubblewrap is there", fix);
    }
    let found = "the process executor is chosen, and bubblewrap is not installed";
    Check::fail("docker", found, "run: apt install bubblewrap; or use Docker: make setup")
}

/// Whether the addresses are free, as long as no node has them.
pub(super) fn addresses(config: &Config) -> Vec<Check> {
    let http = config.http.listen.as_str();
    let mut checks = Vec::new();
    if http != "off" {
        checks.push(match TcpListener::bind(http) {
            Ok(_) => Check::ok("address", format!("{http} is free")),
            Err(e) => {
                Check::fail("address", format!("{http}: {e}"), "choose another with: ikigai up --listen")
            }
        });
    }
    if config.mesh.listen.is_none() {
        let any = ("0.0.0.0", MESH_PORT);
        let bound = TcpListener::bind(any).map(drop).and_then(|()| UdpSocket::bind(any).map(drop));
        checks.push(match bound {
            Ok(()) => Check::ok("mesh-port", format!("{MESH_PORT} is free, for TCP and UDP")),
            Err(e) => Check::warn(
                "mesh-port",
                format!("{MESH_PORT}: {e}; the node will take any other, which others then cannot guess"),
                "end what has it, or name a free one under mesh.listen",
            ),
        });
    }
    checks
}
