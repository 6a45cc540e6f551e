//! What is looked at: this machine first, then what the node says of itself.

use super::Check;
use crate::commands::up::chain;
use crate::env::Env;
use ikigai::{Config, Layers};
use ikigai_wire::api::{Filter, NodeView};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Free disk below which new work is in danger, in bytes.
const LITTLE_DISK: u64 = 5 << 30;

pub(super) async fn all(env: &Env) -> Vec<Check> {
    let (settings, config) = settings(env);
    let node = node(env).await;
    let mut checks = vec![settings, state(env)];
    checks.extend(disk(env));
    checks.push(git());
    checks.push(sandbox(&config));
    checks.push(radicle(&config));
    match node {
        Ok(own) => checks.extend(of_node(&own)),
        Err(check) => {
            checks.extend(listen(&config));
            checks.push(check);
        }
    }
    checks
}

fn settings(env: &Env) -> (Check, Config) {
    let project = env.project().map(|p| p.root);
    match Layers::usual(project.as_deref()).and_then(|layers| layers.config()) {
        Ok(config) => (Check::ok("settings", "every file and variable can be read"), config),
        Err(e) => {
            (Check::fail("settings", chain(&e), "correct it; see: ikigai config explain"), Config::default())
        }
    }
}

fn state(env: &Env) -> Check {
    let dir = match env.state_dir() {
        Ok(dir) => dir,
        Err(p) => return Check::fail("state", p.message, p.hint.unwrap_or_default()),
    };
    let shown = dir.display();
    match std::fs::metadata(&dir) {
        Ok(meta) if meta.mode() & 0o077 != 0 => {
            Check::warn("state", format!("{shown} is open to others"), format!("run: chmod 700 {shown}"))
        }
        Ok(_) => Check::ok("state", shown.to_string()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Check::ok("state", format!("{shown} is made by the first `ikigai up`"))
        }
        Err(e) => Check::fail("state", format!("{shown}: {e}"), "name another folder with --home"),
    }
}

fn disk(env: &Env) -> Option<Check> {
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

fn git() -> Check {
    let out = Command::new("git").arg("--version").stdin(Stdio::null()).output();
    match out {
        Ok(out) if out.status.success() => {
            Check::ok("git", String::from_utf8_lossy(&out.stdout).trim().to_owned())
        }
        _ => Check::fail("git", "git cannot be run", "install git"),
    }
}

/// Docker's engine, or what stands in for it.
fn sandbox(config: &Config) -> Check {
    if config.executor.backend == "process" {
        return bubblewrap();
    }
    let socket = config.executor.socket.clone().unwrap_or_else(|| PathBuf::from("/var/run/docker.sock"));
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
    if find("bwrap").is_some() {
        let fix = "it isolates less than Docker; for Docker, run: make setup";
        return Check::warn("docker", "the process executor is chosen; bubblewrap is there", fix);
    }
    let found = "the process executor is chosen, and bubblewrap is not installed";
    Check::fail("docker", found, "run: apt install bubblewrap; or use Docker: make setup")
}

fn radicle(config: &Config) -> Check {
    let programs = ["rad", "radicle-node", "git-remote-rad"];
    let there = |name: &&str| match &config.forge.radicle_bin {
        Some(folder) => is_program(&folder.join(name)),
        None => find(name).is_some(),
    };
    let missing: Vec<_> = programs.iter().copied().filter(|name| !there(name)).collect();
    if missing.is_empty() {
        return Check::ok("radicle", "its programs are there");
    }
    let found = format!("{} not found", missing.join(", "));
    match config.forge.backend.as_str() {
        "radicle" => Check::fail("radicle", found, "run: make setup"),
        "git" => Check::ok("radicle", "not used: patches go to a bare git repository"),
        _ => Check::fail(
            "radicle",
            found,
            "run: make setup; or keep patches in a bare git repository: IKIGAI_FORGE_BACKEND=git",
        ),
    }
}

/// Whether the address is free, as long as no node has it.
fn listen(config: &Config) -> Option<Check> {
    let address = config.http.listen.as_str();
    if address == "off" {
        return None;
    }
    Some(match std::net::TcpListener::bind(address) {
        Ok(_) => Check::ok("address", format!("{address} is free")),
        Err(e) => {
            Check::fail("address", format!("{address}: {e}"), "choose another with: ikigai up --listen")
        }
    })
}

async fn node(env: &Env) -> Result<NodeView, Check> {
    let none = Filter { states: vec!["-".into()], ..Filter::default() };
    let asked = async { env.node()?.snapshot(none).await };
    let failed =
        |message: String, hint: Option<String>| Check::fail("node", message, hint.unwrap_or_default());
    let snapshot = asked.await.map_err(|p| failed(p.message, p.hint))?;
    let own = snapshot.nodes.into_iter().find(|n| n.id == snapshot.node);
    own.ok_or_else(|| {
        failed("the node does not know itself".into(), Some("run: ikigai down, then up".into()))
    })
}

fn of_node(own: &NodeView) -> Vec<Check> {
    let mut checks = vec![Check::ok("node", format!("{} {} answers", own.name, own.version))];
    let program = env!("CARGO_PKG_VERSION");
    if own.version != program {
        let found = format!("the node is {}, this program {program}", own.version);
        checks.push(Check::warn("version", found, "run: ikigai down, then ikigai up"));
    }
    checks.push(if own.isolation_missing.is_empty() {
        Check::ok("isolation", format!("{} holds agents to every limit", own.executor))
    } else {
        let found = format!("{} does not isolate: {}", own.executor, own.isolation_missing.join("; "));
        let docker = own.executor == "docker";
        let hint = if docker {
            "run agents you would not trust with that on a machine of their own"
        } else {
            "use Docker, or accept that"
        };
        Check::warn("isolation", found, hint)
    });
    checks.push(if own.providers.is_empty() {
        Check::warn("model", "no model provider", "set OPENAI_API_KEY, or configure one under [models]")
    } else {
        Check::ok("model", own.providers.join(", "))
    });
    checks
}

/// A program of PATH.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| is_program(p))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
