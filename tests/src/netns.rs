//! A network of namespaces: one for each node and one with the bridge between them, so that links can be cut and
//! made bad without touching the machine's own network.
//!
//! Every name begins with [`PREFIX`] and the number of the process that made it: what a killed run left is found
//! and removed by the next one.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What every name begins with.
pub const PREFIX: &str = "ikigai-t";
/// Where the system keeps namespaces that have names.
const NAMED: &str = "/run/netns";
/// Nodes of one network, at most: their addresses are of one /24.
const NODES: usize = 200;

/// Why namespaces cannot be had here, if they cannot.
pub fn missing() -> Option<String> {
    for (program, package) in [("ip", "iproute2"), ("iptables", "iptables"), ("nsenter", "util-linux")] {
        if run(Command::new(program).arg("-V")).is_none() {
            return Some(format!("no {program} (install {package})"));
        }
    }
    let probe = format!("{PREFIX}{}-probe", std::process::id());
    let made = try_ip(&["netns", "add", &probe]);
    // The other tests of this process leave the name alone; what was not made cannot be removed.
    let _ = try_ip(&["netns", "del", &probe]);
    made.err().map(|why| format!("no network namespace can be made: {why}"))
}

/// A network; dropping it removes it.
#[derive(Debug)]
pub struct Net {
    name: String,
    nodes: usize,
}

impl Net {
    /// Makes a namespace for each of `nodes`, all on one bridge, and removes what dead runs left.
    ///
    /// # Panics
    /// When something cannot be made.
    pub fn new(nodes: usize) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        assert!(nodes <= NODES, "{nodes} nodes are too many");
        remove_dead();
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let net = Self { name: format!("{PREFIX}{}-{made}", std::process::id()), nodes };
        let switch = net.switch();
        ip(&["netns", "add", &switch]);
        ip(&["-n", &switch, "link", "add", "bridge", "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", "bridge", "up"]);
        (0..nodes).for_each(|n| net.join(n));
        net
    }

    fn join(&self, n: usize) {
        let (node, switch, port) = (self.namespace(n), self.switch(), format!("port{n}"));
        ip(&["netns", "add", &node]);
        let peer = ["peer", "name", "eth0", "netns", &node];
        ip(&[&["link", "add", "name", &port, "netns", &switch, "type", "veth"][..], &peer].concat());
        ip(&["-n", &switch, "link", "set", &port, "master", "bridge", "up"]);
        ip(&["-n", &node, "address", "add", &format!("{}/24", self.address(n)), "dev", "eth0"]);
        ip(&["-n", &node, "link", "set", "lo", "up"]);
        ip(&["-n", &node, "link", "set", "eth0", "up"]);
    }

    /// Where node `n` is.
    pub fn address(&self, n: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, u8::try_from(n + 1).expect("invariant: at most NODES"))
    }

    /// A command that runs `program` in the namespace of node `n`, under the process number that it is spawned with.
    pub fn command(&self, n: usize, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={NAMED}/{}", self.namespace(n))).arg("--").arg(program);
        command
    }

    /// Nothing that node `from` sends reaches node `to` from now on.
    ///
    /// # Panics
    /// When the rule cannot be set.
    pub fn block(&self, from: usize, to: usize) {
        let from = self.address(from).to_string();
        self.iptables(to, &["-A", "INPUT", "-s", &from, "-j", "DROP"]);
    }

    /// Nothing passes between the nodes of `side` and the others, either way.
    pub fn split(&self, side: &[usize]) {
        for near in side {
            for far in (0..self.nodes).filter(|n| !side.contains(n)) {
                self.block(*near, far);
                self.block(far, *near);
            }
        }
    }

    /// Everything passes again, and at once.
    pub fn heal(&self) {
        for n in 0..self.nodes {
            self.iptables(n, &["-F", "INPUT"]);
            // Fails where nothing was delayed.
            let _ = run(self.command(n, Path::new("tc")).args(["qdisc", "del", "dev", "eth0", "root"]));
        }
    }

    /// Loses one in `of` packets everywhere, and delays each by `delay_ms` where the kernel can do that; says what
    /// it did.
    pub fn weather(&self, of: u32, delay_ms: u32) -> String {
        let chance = (1.0 / f64::from(of)).to_string();
        let mut delayed = true;
        for n in 0..self.nodes {
            let random = ["-m", "statistic", "--mode", "random", "--probability", &chance];
            self.iptables(n, &[&["-A", "INPUT"][..], &random, &["-j", "DROP"]].concat());
            let delay = format!("{delay_ms}ms");
            let qdisc = ["qdisc", "replace", "dev", "eth0", "root", "netem", "delay", &delay];
            delayed &= run(self.command(n, Path::new("tc")).args(qdisc)).is_some();
        }
        let delay = if delayed { format!("{delay_ms} ms later") } else { "no delay: no netem here".into() };
        format!("one in {of} packets is lost, {delay}")
    }

    fn iptables(&self, n: usize, args: &[&str]) {
        let mut command = self.command(n, Path::new("iptables"));
        let output = command.arg("--wait").args(args).output().unwrap();
        assert!(output.status.success(), "iptables {args:?}: {}", text(&output));
    }

    fn namespace(&self, n: usize) -> String {
        format!("{}-{n}", self.name)
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.name)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        (0..self.nodes).for_each(|n| remove(&self.namespace(n)));
        remove(&self.switch());
    }
}

/// Removes the namespaces of processes that are no more, with what still runs in them.
fn remove_dead() {
    let Ok(entries) = std::fs::read_dir(NAMED) else { return };
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    names.filter(|name| is_dead(name)).for_each(|name| remove(&name));
}

fn is_dead(name: &str) -> bool {
    let Some((process, _)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    process.parse::<u32>().is_ok_and(|id| !Path::new(&format!("/proc/{id}")).exists())
}

fn remove(name: &str) {
    let inside = run(Command::new("ip").args(["netns", "pids", name])).unwrap_or_default();
    for id in inside.lines().filter_map(|line| line.trim().parse().ok()) {
        if let Some(pid) = rustix::process::Pid::from_raw(id) {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    if let Err(why) = try_ip(&["netns", "del", name]) {
        eprintln!("namespace {name} is left: {why}");
    }
}

fn ip(args: &[&str]) {
    try_ip(args).unwrap_or_else(|why| panic!("ip {args:?}: {why}"));
}

fn try_ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(args).output().map_err(|e| e.to_string())?;
    if output.status.success() { Ok(()) } else { Err(text(&output)) }
}

/// What a program printed, if it is there and ended well.
fn run(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_runs_left_is_dead() {
        assert!(!is_dead(&format!("{PREFIX}{}-0-1", std::process::id())));
        assert!(is_dead(&format!("{PREFIX}{}-0-switch", u32::MAX)));
        for name in ["default", "ikigai-t", "ikigai-tx-1", "other-4294967295-1"] {
            assert!(!is_dead(name), "{name}");
        }
    }
}
