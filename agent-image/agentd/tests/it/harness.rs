//! Starts agentd over folders of its own, and plays the gateway.

use ikigai_wire::agent::{Frame, FrameBody};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Nothing here takes this long unless it hangs.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// A container's folders.
pub(crate) struct Room {
    folder: tempfile::TempDir,
    pub(crate) env: BTreeMap<String, String>,
}

impl Room {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["run", "home", "work"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, env: BTreeMap::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a launch file around `program`.
    pub(crate) fn launch(&self, program: Value, linger_secs: u64) {
        let launch = json!({
            "program": program, "workdir": self.path("work"), "env": self.env, "linger_secs": linger_secs,
        });
        std::fs::write(self.path("run/launch.json"), launch.to_string()).unwrap();
    }

    /// A launch file for a shell script as the agent.
    pub(crate) fn script(&self, script: &str) {
        self.adapter(json!({ "name": "command", "command": ["bash", "-c", script] }));
    }

    pub(crate) fn adapter(&self, adapter: Value) {
        self.launch(json!({ "kind": "agent", "adapter": adapter, "prompt": "the prompt", "model": "m" }), 0);
    }

    pub(crate) fn checks(&self, commands: &[&str], timeout_secs: u64) {
        self.launch(json!({ "kind": "checks", "commands": commands, "timeout_secs": timeout_secs }), 0);
    }

    /// agentd's command over these folders.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ikigai-agentd"));
        self.surround(&mut command);
        command
    }

    /// Gives `command` the environment agentd needs.
    pub(crate) fn surround(&self, command: &mut Command) {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.path("home"));
        command.env("IKIGAI_RUN", self.path("run")).env("IKIGAI_GATEWAY_PORT", "0");
        command.env("IKIGAI_EDITOR", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/editor.pl"));
    }

    pub(crate) fn start(&self) -> Agentd {
        Agentd::start(self.command())
    }

    /// Runs to the end.
    pub(crate) fn run(&self) -> (Vec<Frame>, i32) {
        let mut agentd = self.start();
        let frames = agentd.rest();
        (frames, agentd.wait().code().unwrap())
    }
}

/// A running agentd.
pub(crate) struct Agentd {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    last: u64,
}

impl Agentd {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, last: 0 }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// The next frame; its number must be the next one.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let line = self.lines.next()?.unwrap();
        let frame: Frame = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.last += 1;
        assert_eq!(frame.n, self.last, "{line}");
        Some(frame)
    }

    /// Frames up to the first that `ends`.
    pub(crate) fn until(&mut self, ends: impl Fn(&FrameBody) -> bool) -> FrameBody {
        loop {
            let frame = self.next().expect("agentd ended before that");
            if ends(&frame.body) {
                return frame.body;
            }
        }
    }

    pub(crate) fn until_out(&mut self, text: &str) {
        self.until(|body| *body == out(text));
    }

    /// Every frame that is still to come.
    pub(crate) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next()).collect()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < HANG, "agentd does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Agentd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn out(text: &str) -> FrameBody {
    FrameBody::Out { t: text.into() }
}

pub(crate) fn ended(code: i32) -> FrameBody {
    FrameBody::Ended { code, error: None }
}

pub(crate) fn bodies(frames: Vec<Frame>) -> Vec<FrameBody> {
    frames.into_iter().map(|f| f.body).collect()
}

/// Waits for something that nothing tells.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < HANG, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is there and no zombie.
pub(crate) fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// A node's end of the gateway socket.
pub(crate) struct Gateway {
    pub(crate) controls: mpsc::Receiver<Control>,
    pub(crate) streams: mpsc::Receiver<(u64, UnixStream)>,
    path: PathBuf,
}

/// A control connection.
pub(crate) struct Control {
    read: BufReader<UnixStream>,
}

impl Control {
    pub(crate) fn order(&mut self, order: &Value) {
        self.read.get_mut().write_all(format!("{order}\n").as_bytes()).unwrap();
    }

    pub(crate) fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.read.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Gateway {
    /// Listens in `room`. Ends, as a node does, with everything it accepted.
    pub(crate) fn listen(room: &Room) -> Self {
        let path = room.path("run/gateway.sock");
        std::fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path).unwrap();
        let (control, controls) = mpsc::channel();
        let (stream, streams) = mpsc::channel();
        std::thread::spawn(move || {
            for accepted in listener.incoming() {
                let (Ok(accepted), control, stream) = (accepted, control.clone(), stream.clone()) else {
                    return;
                };
                std::thread::spawn(move || serve(accepted, &control, &stream));
            }
        });
        Self { controls, streams, path }
    }

    pub(crate) fn control(&self) -> Control {
        self.controls.recv_timeout(HANG).expect("agentd does not connect")
    }

    /// The stream that was asked for as `id`.
    pub(crate) fn stream(&self, id: u64) -> UnixStream {
        let (got, stream) = self.streams.recv_timeout(HANG).expect("no stream comes");
        assert_eq!(got, id);
        stream
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.path
    }
}

/// `101` for agentd's connections, an answer that names the path for anything else.
fn serve(mut stream: UnixStream, control: &mpsc::Sender<Control>, streams: &mpsc::Sender<(u64, UnixStream)>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let switch = |protocol: &str| {
        assert!(
            head.contains(&format!("Upgrade: {protocol}\r\n")) && head.contains("Connection: Upgrade\r\n"),
            "{head}"
        );
        format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n")
    };
    if path == "/agentd/control" {
        stream.write_all(switch("ikigai-control").as_bytes()).unwrap();
        control.send(Control { read: BufReader::new(stream) }).ok();
    } else if let Some(id) = path.strip_prefix("/agentd/streams/") {
        stream.write_all(switch("ikigai-stream").as_bytes()).unwrap();
        streams.send((id.parse().unwrap(), stream)).ok();
    } else {
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{path}", path.len());
        stream.write_all(answer.as_bytes()).unwrap();
    }
}
