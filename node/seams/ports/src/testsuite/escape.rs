//! The escape suite: a program inside a workload tries every way out it knows, towards things that are really
//! there, and must fail at each. Run unconfined, the same program must succeed, which shows that it tries.

use super::executor::Fixture;
use crate::Executor;
use crate::executor::{Mount, Role, WorkloadSpec};
use futures::stream::StreamExt;
use ikigai_types::{AttemptId, Epoch, Fence, Limits, NodeId};
use serde::Deserialize;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, UdpSocket as AnyUdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::process::{Child, Command};

/// The fewest probes the program may tell of; fewer means that it was cut.
const PROBES: usize = 60;

/// The whole program takes seconds; some probes wait for an answer that must not come.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the program says of one try.
#[derive(Debug, Deserialize)]
pub struct Probe {
    /// Which way it tried.
    pub probe: String,
    /// Whether it failed.
    pub blocked: bool,
    /// How, or what it got.
    pub detail: String,
    /// Whether it must succeed where nothing blocks it.
    pub control: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Probe(Probe),
    Done { done: usize },
}

/// Runs `program` (a folder with `escape.py`) as a workload: every probe must have run, and been blocked.
/// `held` names limits this backend says it does not enforce, and the probes that then may succeed.
///
/// # Panics
/// When a probe got out, did not run, or the workload did not start.
pub async fn escape(executor: &dyn Executor, fixture: &Fixture, program: &Path, held: &[(&str, &str)]) {
    let targets = Targets::open(&fixture.folder).await;
    let work = open_folder(&fixture.folder.join("work"));
    let spec = spec(fixture, program, work, targets.told.clone());
    let id = executor.launch(&spec).await.unwrap_or_else(|e| panic!("it did not start: {}", e.chain()));
    let lines = async {
        let stream = executor.logs(&id).await.unwrap();
        stream.map(|line| line.unwrap()).collect::<Vec<_>>().await
    };
    let lines = tokio::time::timeout(PATIENCE, lines).await.expect("the program hangs");
    let exit = executor.wait(&id).await.unwrap();
    executor.remove(&id).await.unwrap();
    assert_eq!(exit.code, 0, "the program did not run to its end: {exit:?}, {lines:?}");

    let probes = read(&lines);
    assert!(probes.len() >= PROBES, "only {} probes ran", probes.len());
    let isolation = executor.isolation();
    let excused = |probe: &Probe| {
        let limit = held.iter().find(|(name, _)| *name == probe.probe).map(|(_, limit)| *limit);
        limit.is_some_and(|limit| isolation.missing.iter().any(|m| m.contains(limit)))
    };
    for probe in &probes {
        println!(
            "escape: {}: {} ({})",
            probe.probe,
            if probe.blocked { "blocked" } else { "OPEN" },
            probe.detail
        );
        if !probe.blocked && excused(probe) {
            println!("NOT HELD here: {}, which {} lists as missing", probe.probe, isolation.name);
        }
    }
    let out: Vec<_> = probes.iter().filter(|p| !p.blocked && !excused(p)).collect();
    assert!(out.is_empty(), "ways out: {out:#?}");
}

/// Runs `program` on the machine itself: what a probe can do at all, it must do here. Without root only what
/// needs no rights is asked for, and the rest is printed.
///
/// # Panics
/// When a probe fails where nothing blocks it.
pub async fn control(folder: &Path, program: &Path, is_root: bool) {
    let targets = Targets::open(folder).await;
    let work = open_folder(&folder.join("work"));
    let run = Command::new("python3")
        .arg(program.join("escape.py"))
        .arg("--control")
        .env("ESCAPE_TARGETS", &targets.told)
        .env("ESCAPE_SCRATCH", &work)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.expect("the program hangs").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let probes = read(&lines);
    let plain = [
        "tcp4_to_the_machine",
        "udp_answers",
        "abstract_socket_of_the_machine",
        "socket_of_another_agent",
        "file_of_the_machine",
        "canary_in_files",
        "environment_of_others",
        "many_processes",
        "much_memory",
    ];
    for probe in probes.iter().filter(|p| p.blocked) {
        println!("control: {} fails here too: {}", probe.probe, probe.detail);
    }
    let asked = |p: &&Probe| is_root || plain.contains(&p.probe.as_str());
    let dead: Vec<_> =
        probes.iter().filter(asked).filter(|p| p.blocked || p.detail.contains("broken")).collect();
    assert!(dead.is_empty(), "probes that cannot succeed show nothing: {dead:#?}");
    assert!(probes.len() >= PROBES / 2, "only {} probes ran", probes.len());
}

fn read(lines: &[String]) -> Vec<Probe> {
    let (mut probes, mut ended) = (Vec::<Probe>::new(), None);
    for line in lines {
        match serde_json::from_str(line).unwrap_or_else(|e| panic!("`{line}`: {e}")) {
            Line::Probe(probe) => {
                assert!(probes.iter().all(|p| p.probe != probe.probe), "{} ran twice", probe.probe);
                probes.push(probe);
            }
            Line::Done { done } => ended = Some(done),
        }
    }
    assert_eq!(ended, Some(probes.len()), "every probe that ran was told");
    probes
}

fn spec(fixture: &Fixture, program: &Path, work: PathBuf, targets: String) -> WorkloadSpec {
    let attempt = AttemptId { task: "suite.escape".parse().unwrap(), number: 1 };
    let mount = |source: &Path, target: &str, read_only| Mount {
        source: source.to_owned(),
        target: target.into(),
        read_only,
    };
    WorkloadSpec {
        node: NodeId::from_bytes(std::array::from_fn(|_| random().to_le_bytes()[0])),
        fence: Fence { attempt, epoch: Epoch(1) },
        role: Role::Agent,
        image: fixture.image.clone().unwrap_or_default(),
        command: ["/usr/bin/python3", "/escape/escape.py"].map(str::to_owned).into(),
        env: [("ESCAPE_TARGETS".to_owned(), targets), ("ESCAPE_SCRATCH".to_owned(), "/work".to_owned())]
            .into(),
        mounts: vec![mount(&work, "/work", false), mount(program, "/escape", true)],
        workdir: "/work".into(),
        limits: Limits { memory_bytes: 200 << 20, pids: 96, disk_bytes: 16 << 20, ..Limits::default() },
    }
}

/// What there is to reach outside, kept open while the program runs.
struct Targets {
    told: String,
    _tcp: Vec<TcpListener>,
    _unix: Vec<UnixListener>,
    _secretive: Child,
    answering: tokio::task::JoinHandle<()>,
}

impl Targets {
    async fn open(folder: &Path) -> Self {
        let canary = [format!("canary-{:016x}", random()), format!("{:016x}", random())];
        let other = open_folder(&folder.join("other"));
        let file = other.join("secret");
        std::fs::write(&file, canary.concat()).unwrap();

        let tcp4 = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = tcp4.local_addr().unwrap().port();
        let tcp6 = TcpListener::bind("[::1]:0").await.ok();
        let udp = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let udp_port = udp.local_addr().unwrap().port();
        let addresses: Vec<IpAddr> =
            ["127.0.0.1".parse().ok(), own_address()].into_iter().flatten().collect();
        let at = |port: u16| addresses.iter().map(|a| (a.to_string(), port)).collect::<Vec<_>>();

        let name = format!("ikigai-escape-{:016x}", random());
        let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let socket = other.join("gateway.sock");
        let _ = std::fs::remove_file(&socket);
        let gateway = UnixListener::bind(&socket).unwrap();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).unwrap();
        let secretive = Command::new("sleep")
            .arg("600")
            .env("SECRET", canary.concat())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let told = serde_json::json!({
            "tcp4": at(port), "udp": at(udp_port),
            "tcp6": tcp6.as_ref().map(|t| [("::1", t.local_addr().unwrap().port())]),
            "abstract": name, "socket": socket, "file": file, "pid": secretive.id().unwrap(), "canary": canary,
        });
        let answering = tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((_, from)) = udp.recv_from(&mut query).await {
                let _ = udp.send_to(b"answer", from).await;
            }
        });
        let tcp = tcp6.into_iter().chain([tcp4]).collect();
        Self {
            told: told.to_string(),
            _tcp: tcp,
            _unix: vec![hidden, gateway],
            _secretive: secretive,
            answering,
        }
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// The machine's address towards others. Nothing is sent: the kernel only chooses a way.
fn own_address() -> Option<IpAddr> {
    let socket = AnyUdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// A folder that the workload's user could use if it saw it.
fn open_folder(path: &Path) -> PathBuf {
    std::fs::create_dir_all(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    path.to_owned()
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}
