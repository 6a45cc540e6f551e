//! T9: every socket a node listens on, found by asking the kernel, and what a stranger gets from each.

use crate::node::{NodeProcess, Runs, turn};
use crate::{parts, project};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a stranger waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_secs(15);

/// A socket that waits for others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Open {
    Tcp(SocketAddr),
    Udp(SocketAddr),
    Unix(PathBuf),
}

/// What the kernel says `pid` listens on.
fn listeners(pid: u32) -> BTreeSet<Open> {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = fds.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let inodes: BTreeSet<String> = links
        .filter_map(|l| l.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(ToOwned::to_owned))
        .collect();
    let table = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let mut found = BTreeSet::new();
    for name in ["tcp", "tcp6", "udp", "udp6"] {
        for line in table(name).lines().skip(1) {
            let f: Vec<_> = line.split_whitespace().collect();
            let (local, state, inode) = (f[1], f[3], f[9]);
            if !inodes.contains(inode) {
                continue;
            }
            match (name.starts_with("tcp"), state) {
                (true, "0A") => drop(found.insert(Open::Tcp(address(local)))),
                // Not connected to one other end: takes what anybody sends.
                (false, "07") => drop(found.insert(Open::Udp(address(local)))),
                _ => {}
            }
        }
    }
    for line in table("unix").lines().skip(1) {
        let f: Vec<_> = line.split_whitespace().collect();
        let accepts = u32::from_str_radix(f[3], 16).unwrap() & 0x1_0000 != 0;
        if inodes.contains(f[6]) && accepts {
            found.insert(Open::Unix(f.get(7).copied().unwrap_or("(no name)").into()));
        }
    }
    found
}

/// `0100007F:1CFC`, as the kernel writes it: words of the machine's order.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once(':').unwrap();
    let words = (0..ip.len() / 8).map(|n| u32::from_str_radix(&ip[8 * n..8 * n + 8], 16).unwrap());
    let bytes: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
    let port = u16::from_str_radix(port, 16).unwrap();
    match <[u8; 4]>::try_from(bytes.clone()) {
        Ok(v4) => (v4, port).into(),
        Err(_) => (<[u8; 16]>::try_from(bytes).unwrap(), port).into(),
    }
}

/// Sends bytes and reads until the other end closes: the status, and all that came.
fn ask<S: std::io::Read + std::io::Write>(mut stream: S, request: &str) -> (u16, String) {
    // The other end may refuse and close before it has read everything.
    let _ = stream.write_all(request.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0), text)
}

fn tcp(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What a stranger tries, and the statuses that refuse it. `HOST` stands for a good Host line, `AUTH` for a good
/// token, `COOKIE` for a good session, `POST` for the head of a request that would change something.
fn strangers() -> Vec<(&'static str, String, &'static [u16])> {
    let get = |headers: &str| format!("GET /v1/tasks HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    let post = |headers: &str| format!("POST {headers}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}");
    let json = "Content-Type: application/json\r\n";
    let websocket =
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    vec![
        ("no host", get("AUTH"), &[421, 400]),
        ("empty host", get("Host:\r\nAUTH"), &[421, 400]),
        ("two hosts", get("HOSTHOSTAUTH"), &[421, 400]),
        ("a good host and a bad one", get("HOSTHost: evil.example\r\nAUTH"), &[421, 400]),
        ("another host", get("Host: evil.example\r\nAUTH"), &[421]),
        ("a rebinding name", get("Host: 7f000001.rbndr.example:PORT\r\nAUTH"), &[421]),
        ("a name that begins like ours", get("Host: localhost.evil.example:PORT\r\nAUTH"), &[421]),
        (
            "the host of an agent that is not",
            get("Host: t001-1.localhost:PORT\r\nAUTH"),
            &[421, 404, 403, 401],
        ),
        ("no origin at all, by name", get("HOSTAUTHOrigin: null\r\n"), &[403]),
        ("a foreign origin", get("HOSTAUTHOrigin: https://evil.example\r\n"), &[403]),
        ("two origins", get("HOSTAUTHOrigin: null\r\nOrigin: http://localhost:PORT\r\n"), &[403]),
        ("another site, as a browser says it", get("HOSTAUTHSec-Fetch-Site: cross-site\r\n"), &[403]),
        (
            "a form of another site with the cookie",
            post(&format!("HOSTCOOKIEOrigin: http://evil.example\r\n{json}")),
            &[403],
        ),
        (
            "a form as forms are sent",
            post("HOSTAUTHContent-Type: application/x-www-form-urlencoded\r\n"),
            &[415],
        ),
        (
            "a websocket of another origin",
            get(&format!("HOSTAUTHOrigin: http://evil.example\r\n{websocket}")).replace("close", "Upgrade"),
            &[400, 403],
        ),
        (
            "the absolute form",
            "GET http://evil.example/v1/tasks HTTP/1.1\r\nHOSTAUTHConnection: close\r\n\r\n".to_owned(),
            &[400],
        ),
        (
            "the absolute form of ourselves",
            "GET http://localhost:PORT/v1/tasks HTTP/1.1\r\nHOSTAUTHConnection: close\r\n\r\n".to_owned(),
            &[400],
        ),
        ("a tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nHOSTAUTH\r\n".to_owned(), &[400]),
        (
            "HTTP/2 over a change of protocol",
            get("HOSTAUTHUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n")
                .replace("close", "Upgrade, HTTP2-Settings"),
            &[400],
        ),
        (
            "a gigabyte",
            format!("POST HOSTAUTH{json}Content-Length: 1073741824\r\nConnection: close\r\n\r\n"),
            &[413],
        ),
        (
            "a body of two lengths",
            format!(
                "POST HOSTAUTH{json}Content-Length: 2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
            ),
            &[400, 411],
        ),
        ("10,000 headers", get(&format!("HOSTAUTH{}", "X-A: b\r\n".repeat(10_000))), &[431]),
        ("one long header", get(&format!("HOSTAUTHX-A: {}\r\n", "b".repeat(100_000))), &[431]),
    ]
}

/// What only a listener that others can reach must ask for.
fn nobodies() -> Vec<(&'static str, String, &'static [u16])> {
    let get = |headers: &str| format!("GET /v1/tasks HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    vec![
        ("no token", get("HOST"), &[401]),
        ("a wrong token", get("HOSTAuthorization: Bearer 0000\r\n"), &[401]),
        ("a wrong token beside a session", get("HOSTCOOKIEAuthorization: Bearer 0000\r\n"), &[401]),
        (
            "a token in the address",
            "GET /v1/tasks?token=SECRET HTTP/1.1\r\nHOSTConnection: close\r\n\r\n".into(),
            &[401],
        ),
        ("half a session", get("HOSTHALF"), &[401]),
        (
            "a form with the cookie that says nothing of where it is from",
            "POST HOSTHALFContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
                .into(),
            &[401],
        ),
        ("counters without a token", "GET /metrics HTTP/1.1\r\nHOSTConnection: close\r\n\r\n".into(), &[401]),
    ]
}

/// What a node's owner has, to be put into a stranger's requests.
struct Good {
    port: u16,
    token: String,
    cookie: String,
    key: String,
}

impl Good {
    async fn of(node: &NodeProcess, http: SocketAddr) -> Self {
        let token = std::fs::read_to_string(node.home().join("token")).unwrap().trim().to_owned();
        let mut open = tokio::process::Command::new(parts::built("ikigai"));
        let out = open.arg("--home").arg(node.home()).args(["open", "--print"]).output().await.unwrap();
        let url = String::from_utf8(out.stdout).unwrap();
        let body = format!("{{\"code\":\"{}\"}}", url.trim().split_once('#').unwrap().1);
        let request = format!(
            "POST /v1/session HTTP/1.1\r\nHost: {http}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        let (status, answer) = ask(tcp(http), &request);
        assert_eq!(status, 200, "{answer}");
        let line = answer.lines().find_map(|l| l.strip_prefix("set-cookie: ")).unwrap();
        let cookie = line.split(';').next().unwrap().to_owned();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let session: serde_json::Value = serde_json::from_str(body).unwrap();
        Self { port: http.port(), token, cookie, key: session["key"].as_str().unwrap().to_owned() }
    }

    fn fill(&self, request: &str) -> String {
        let half = format!("Cookie: {}\r\n", self.cookie);
        request
            .replace("POST ", "POST /v1/tasks HTTP/1.1\r\n")
            .replace("HOST", "Host: localhost:PORT\r\n")
            .replace("AUTH", &format!("Authorization: Bearer {}\r\n", self.token))
            .replace("COOKIE", &format!("{half}X-Ikigai-Key: {}\r\n", self.key))
            .replace("HALF", &half)
            .replace("SECRET", &self.token)
            .replace("PORT", &self.port.to_string())
    }
}

/// Everything an HTTP listener must refuse, and then what it must not.
fn try_http<S: std::io::Read + std::io::Write>(good: &Good, connect: impl Fn() -> S, of_others: bool) {
    let nobodies = if of_others { nobodies() } else { Vec::new() };
    for (what, request, statuses) in strangers().into_iter().chain(nobodies) {
        let (status, answer) = ask(connect(), &good.fill(&request));
        assert!(statuses.contains(&status), "{what}: {status}\n{answer}");
        assert!(!answer.contains("\"items\""), "{what}: {answer}");
    }
    let (status, answer) =
        ask(connect(), &good.fill("GET /v1/tasks HTTP/1.1\r\nHOSTAUTHConnection: close\r\n\r\n"));
    assert_eq!(status, 200, "who may is let in: {answer}");
}

/// The mesh's port speaks to nobody who is not enrolled, and never HTTP.
fn try_mesh(to: SocketAddr) {
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &"\0".repeat(100_000),
    ] {
        let mut stream = tcp(to);
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        // Closed, not kept waiting until a stranger loses patience.
        let ended = stream.read_to_end(&mut bytes);
        let late = ended.is_err_and(|e| {
            matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
        });
        assert!(!late, "the mesh's port holds a stranger");
        assert!(bytes.len() < 1000 && !String::from_utf8_lossy(&bytes).contains("HTTP/"), "{bytes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_refuses_strangers_before_a_handler_runs() {
    let _turn = turn().await;
    let mesh =
        "[mesh]\nlisten = [\"/ip4/127.0.0.1/tcp/0\", \"/ip4/127.0.0.1/udp/0/quic-v1\"]\nmdns = false\n";
    let runs = Runs::Process(PathBuf::from("/nonexistent"));
    let script = project::feature().join("model.toml");
    let node = NodeProcess::prepare("t9", &runs, "backend = \"git\"", mesh, &script);
    let shared = format!("shared_socket = {:?}", node.shared());
    let mut node = node.with_http(&shared);
    node.up().await;
    let http = node.http();
    let good = Good::of(&node, http).await;
    let sockets = [(node.home().join("ikigai.sock"), 0o600), (node.shared(), 0o666)];
    let mut unix = 0;
    let (mut tcp_ports, mut udp_ports) = (0, 0);
    for open in listeners(node.pid()) {
        println!("{open:?}");
        match open {
            Open::Tcp(at) if at == http => {
                assert!(at.ip().is_loopback(), "{at}");
                try_http(&good, || tcp(at), true);
            }
            Open::Tcp(at) => {
                assert!(at.ip().is_loopback(), "{at} is what nobody asked for");
                tcp_ports += 1;
                try_mesh(at);
            }
            Open::Udp(at) => {
                assert!(at.ip().is_loopback(), "{at} is what nobody asked for");
                udp_ports += 1;
            }
            Open::Unix(path) => {
                unix += 1;
                try_unix(&good, &sockets, &path);
            }
        }
    }
    assert!(
        tcp_ports <= 1 && udp_ports <= 1 && unix == sockets.len(),
        "a listener that this test does not know: tell it what a stranger gets"
    );
    let tasks = node.tasks().await;
    assert!(tasks.is_empty(), "a handler ran: {tasks:?}");
}

/// What another Linux user gets from the socket for everybody, `people` has.
fn try_unix(good: &Good, sockets: &[(PathBuf, u32)], path: &Path) {
    // It is bound under a name of its own and moved once it has its mode.
    let ours = sockets.iter().find(|(socket, _)| path.with_extension("") == socket.with_extension(""));
    let Some((socket, mode)) = ours else {
        panic!("a listener that this test does not know: {}", path.display())
    };
    assert_eq!(std::fs::metadata(socket).unwrap().permissions().mode() & 0o777, *mode);
    let connect = || {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    try_http(good, connect, false);
}
