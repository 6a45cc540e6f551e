//! What there is to reach outside a workload, kept open while the escape program runs.

use super::random;
use serde_json::json;
use std::io;
use std::net::{IpAddr, UdpSocket as AnyUdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UdpSocket};
use tokio::process::{Child, Command};

/// Sockets, a file and a process of this machine that nobody inside may find.
pub(crate) struct Targets {
    /// What the program is told of them.
    pub(crate) told: String,
    _tcp: Vec<TcpListener>,
    _unix: Vec<UnixListener>,
    _secretive: Child,
    answering: tokio::task::JoinHandle<()>,
}

impl Targets {
    pub(crate) async fn open(folder: &Path) -> io::Result<Self> {
        let canary = [format!("canary-{:016x}", random()), format!("{:016x}", random())];
        let other = open_folder(&folder.join("other"))?;
        let file = other.join("secret");
        std::fs::write(&file, canary.concat())?;

        let tcp4 = TcpListener::bind("0.0.0.0:0").await?;
        let port = tcp4.local_addr()?.port();
        let tcp6 = TcpListener::bind("[::1]:0").await.ok();
        let port6 = tcp6.as_ref().and_then(|t| t.local_addr().ok()).map(|a| a.port());
        let udp = UdpSocket::bind("0.0.0.0:0").await?;
        let udp_port = udp.local_addr()?.port();
        let addresses: Vec<IpAddr> =
            ["127.0.0.1".parse().ok(), own_address()].into_iter().flatten().collect();
        let at = |port: u16| addresses.iter().map(|a| (a.to_string(), port)).collect::<Vec<_>>();

        let name = format!("ikigai-escape-{:016x}", random());
        let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        let socket = other.join("gateway.sock");
        let _ = std::fs::remove_file(&socket);
        let gateway = UnixListener::bind(&socket)?;
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777))?;
        let mut secretive = Command::new("sleep");
        let secretive = secretive.arg("600").env("SECRET", canary.concat()).kill_on_drop(true).spawn()?;
        let told = json!({
            "tcp4": at(port), "udp": at(udp_port), "tcp6": port6.map(|port| [("::1", port)]), "abstract": name,
            "socket": socket, "file": file, "pid": secretive.id(), "canary": canary,
        });
        let answering = tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((_, from)) = udp.recv_from(&mut query).await {
                let _ = udp.send_to(b"answer", from).await;
            }
        });
        let (tcp, unix) = (tcp6.into_iter().chain([tcp4]).collect(), vec![hidden, gateway]);
        Ok(Self { told: told.to_string(), _tcp: tcp, _unix: unix, _secretive: secretive, answering })
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
pub(crate) fn open_folder(path: &Path) -> io::Result<PathBuf> {
    std::fs::create_dir_all(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?;
    Ok(path.to_owned())
}
