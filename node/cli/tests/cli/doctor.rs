//! Each fault is put into a sound machine, and doctor finds it and says what to do.

use crate::scene::Scene;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine on which nothing is wrong: programs, an engine that answers, a node.
struct Machine {
    scene: Scene,
    engine: Option<UnixListener>,
    more: Vec<(&'static str, String)>,
}

impl Machine {
    fn sound() -> Self {
        let scene = Scene::shop();
        let engine = Some(UnixListener::bind(scene.dir.path().join("docker.sock")).unwrap());
        let machine = Self { scene, engine, more: Vec::new() };
        std::fs::create_dir(machine.bin()).unwrap();
        machine.program("git", "echo git version 2.39.5");
        machine.program("timedatectl", "echo yes");
        machine.program("specify", "echo specify 1.2.3");
        for name in ["rad", "radicle-node", "git-remote-rad"] {
            machine.program(name, &format!("echo '{name} 0.21.1 (release)'"));
        }
        let home = machine.home();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
        for key in ["node.key", "token"] {
            std::fs::write(home.join(key), "secret").unwrap();
            std::fs::set_permissions(home.join(key), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        machine
    }

    fn home(&self) -> PathBuf {
        self.scene.dir.path().join("home")
    }

    fn bin(&self) -> PathBuf {
        self.scene.dir.path().join("bin")
    }

    fn program(&self, name: &str, does: &str) {
        let path = self.bin().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn settings(&self, text: &str) {
        let folder = self.scene.dir.path().join(".config/ikigai");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("ikigai.toml"), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = self.scene.command("doctor -o ndjson");
        let engine = format!("unix://{}", self.scene.dir.path().join("docker.sock").display());
        command.env("PATH", self.bin()).env("DOCKER_HOST", engine).envs(self.more.iter().cloned());
        command
    }

    /// The checks that are not ok, as `name status found -> fix`.
    fn wrong(&self) -> Vec<String> {
        let out = self.command().output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        let checks = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).expect(l));
        let word = |check: &serde_json::Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let lines: Vec<_> = checks
            .filter(|c| c["status"] != "ok")
            .map(|c| ["name", "status", "found", "fix"].map(|key| word(&c, key)))
            .map(|[name, status, found, fix]| format!("{name} {status} {found} -> {fix}"))
            .collect();
        let failed = lines.iter().any(|l| l.contains(" fail "));
        assert_eq!(out.status.code(), Some(i32::from(failed)), "{text}");
        lines
    }

    /// Exactly one thing is wrong, and it reads so.
    fn has(&self, begins: &str, ends: &str) {
        let wrong = self.wrong();
        let [line] = wrong.as_slice() else { panic!("want one that begins `{begins}`: {wrong:#?}") };
        assert!(line.starts_with(begins) && line.contains(&format!("-> {ends}")), "{line}");
    }
}

#[test]
fn on_a_sound_machine_everything_is_ok() {
    assert_eq!(Machine::sound().wrong(), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_the_nodes_folder() {
    let machine = Machine::sound();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&machine.home(), 0o755);
    machine.has("state warn", "run: chmod 700");
    mode(&machine.home(), 0o700);
    let key = machine.home().join("node.key");
    mode(&key, 0o644);
    machine.has("keys fail", "run: chmod 600");
    mode(&key, 0o600);
    std::fs::write(&key, "").unwrap();
    machine.has("keys fail", "stop the node and put the file back");
    std::fs::write(&key, "secret").unwrap();
    machine.settings("[store]\nbackend = \"memory\"\n");
    machine.has("store warn memory: everything is lost", "for anything but a trial");
    // What the node was started with holds before the usual files.
    let other = machine.scene.dir.path().join("other.toml");
    std::fs::write(&other, "[store]\nbackend = \"redb\"\n").unwrap();
    std::fs::write(machine.home().join("config-file"), other.display().to_string()).unwrap();
    assert_eq!(machine.wrong(), Vec::<String>::new());
    machine.settings("[htpt]\n");
    machine.has("settings fail", "correct it; see: ikigai config explain");
}

#[test]
fn what_is_wrong_with_programs_and_the_clock() {
    let machine = Machine::sound();
    machine.program("timedatectl", "echo no");
    machine.has("clock warn nothing keeps it right", "run: timedatectl set-ntp true");
    machine.program("timedatectl", "echo yes");
    machine.program("git", "echo git version 2.20.1");
    machine.has("git fail git version 2.20.1", "install git 2.34 or newer");
    std::fs::remove_file(machine.bin().join("git")).unwrap();
    machine.has("git fail git cannot be run", "install git");
    machine.program("git", "echo git version 2.39.5");
    machine.program("specify", "echo specify 0.9.1");
    machine.has("spec-kit warn specify 0.9.1", "features of 1.0 and newer are read");
    machine.program("specify", "exit 1");
    machine.has("spec-kit warn", "install it again");
    machine.program("specify", "echo specify 1.2.3");
    machine.program("radicle-node", "echo 'radicle-node 0.9.0 (release)'");
    machine.has("radicle fail", "needs radicle-node 0.21 or newer; run: make setup");
    machine.program("radicle-node", "exit 1");
    machine.has("radicle fail its programs cannot be run", "run: make setup; or keep patches in a bare git");
    std::fs::remove_file(machine.bin().join("radicle-node")).unwrap();
    machine.has("radicle fail radicle-node not found", "run: make setup; or keep patches in a bare git");
}

#[test]
fn what_is_wrong_with_the_engine() {
    let mut machine = Machine::sound();
    machine.engine = None;
    machine.has("docker fail no engine answers on", "run: make setup; or choose bubblewrap");
    machine.more = vec![("IKIGAI_EXECUTOR_BACKEND", "process".to_owned())];
    machine.has(
        "docker fail the process executor is chosen, and bubblewrap is not",
        "run: apt install bubblewrap",
    );
    machine.program("bwrap", "true");
    machine.has("docker warn the process executor is chosen", "it isolates less than Docker");
}

#[test]
fn what_is_wrong_with_telling_people() {
    let machine = Machine::sound();
    let hook = "url = \"https://hooks.example/i\"\nsecret = \"file:/no/such/key\"";
    machine.settings(&format!("[notify.webhook]\n{hook}\n"));
    machine.has(
        "notify fail webhook: /no/such/key is not there",
        "put it there, or correct notify.webhook.secret",
    );
    machine.settings("[notify]\ndesktop = true\n");
    machine.has("notify fail desktop", "run: apt install libnotify-bin");
}

#[test]
fn what_is_wrong_with_the_node_and_its_peers() {
    let machine = Machine::sound();
    let fake = &machine.scene.fake;
    fake.edit_node("laptop", |n| n.cordoned = true);
    machine
        .has("cordon warn it takes no new work", "when it may have work again: ikigai node uncordon laptop");
    fake.edit_node("laptop", |n| n.cordoned = false);
    fake.edit_node("laptop", |n| n.isolation_missing = vec!["the disk is not limited".to_owned()]);
    machine.has("isolation warn docker does not isolate: the disk", "run agents you would not trust");
    fake.edit_node("laptop", |n| n.isolation_missing.clear());
    fake.edit_node("laptop", |n| n.providers.clear());
    machine.has("model warn no model provider", "set OPENAI_API_KEY");
    fake.edit_node("laptop", |n| n.providers = vec!["scripted".to_owned()]);
    fake.edit_node("server", |n| n.liveness = "dead".to_owned());
    machine.has("peer warn server does not answer", "start it, or mend the network between");
    fake.edit_node("server", |n| n.liveness = "alive".to_owned());
    fake.edit_node("server", |n| n.version = "0.0.9".to_owned());
    machine.has("peer warn server is 0.0.9, this node 0.1.0", "neighbouring versions work together");
}

#[test]
fn what_is_wrong_before_there_is_a_node() {
    let mut machine = Machine::sound();
    machine.scene.unserve();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    machine.settings(&format!("[http]\nlisten = \"{address}\"\n"));
    // Another test, or another node of this machine, may have it already.
    let _mesh = TcpListener::bind("0.0.0.0:7421");
    let wrong = machine.wrong();
    let [http, mesh, node] = wrong.as_slice() else { panic!("{wrong:#?}") };
    assert!(
        http.starts_with("address fail") && http.ends_with("-> choose another with: ikigai up --listen"),
        "{http}"
    );
    assert!(mesh.starts_with("mesh-port warn 7421:") && mesh.contains("mesh.listen"), "{mesh}");
    assert!(node.starts_with("node fail no node answers") && node.ends_with("-> run: ikigai up"), "{node}");
}

#[test]
fn a_full_disk_is_seen() {
    let machine = Machine::sound();
    let home = machine.home();
    // A small disk of this process's own: nobody else sees it mounted.
    let script = "/bin/mount -t tmpfs -o size=1m,mode=700 none \"$0\" && exec \"$@\"";
    let mut command = Command::new("/usr/bin/unshare");
    let inner = machine.command();
    command.args(["--mount", "--map-root-user", "/bin/sh", "-c", script]).arg(&home);
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(k, v)| Some((k, v?)))).current_dir(machine.scene.project());
    let out = command.output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    if text.is_empty() {
        let why = String::from_utf8_lossy(&out.stderr);
        assert!(std::env::var_os("IKIGAI_REQUIRE_ROOT").is_none(), "{why}");
        let _ =
            writeln!(std::io::stderr(), "SKIPPED a_full_disk_is_seen: no disk can be mounted here: {why}");
        return;
    }
    let disk = text.lines().find(|l| l.contains(r#""name":"disk""#)).unwrap();
    assert!(disk.contains(r#""status":"warn""#) && disk.contains("free some space"), "{disk}");
}
