//! Where the API listens: a Unix socket for the same user, perhaps one for every user of the machine, loopback TCP
//! for who has a token, TLS for other machines.

use crate::Tls;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Longest path of a Unix socket that the kernel takes, in bytes.
const MAX_SOCKET_PATH: usize = 107;

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// Mode 0600; each peer's uid is asked of the kernel. The file is removed when this is dropped.
    Unix(UnixListener, SocketFile),
    /// For every Linux user of this machine; who each is, is asked of the kernel.
    Shared(UnixListener, SocketFile),
    /// Loopback only.
    Tcp(TcpListener, SocketAddr),
    /// For other machines, with the node's certificate.
    Tls(TcpListener, SocketAddr, Tls),
}

/// The socket's file, removed on drop.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Other machines are served over TLS or not at all.
    #[error("will not listen on {0} without TLS: it is not a loopback address")]
    NotLoopback(SocketAddr),
    /// A node answers on this socket.
    #[error("a node is already running on {0}")]
    Running(PathBuf),
    /// Something that is no socket has the name.
    #[error("{0} is there and is no socket")]
    NotASocket(PathBuf),
    /// Whoever may write to a socket's folder can put another socket in its place.
    #[error("anybody may write to {0}, and could put another socket there")]
    OpenFolder(PathBuf),
    /// The folder of the socket for everybody cannot be made or looked at.
    #[error("the folder {folder} of the socket for other users cannot be used")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel takes no longer paths.
    #[error("the path of the socket is longer than {MAX_SOCKET_PATH} bytes: {0}")]
    TooLong(PathBuf),
    /// The system refused.
    #[error("cannot listen on {place}")]
    System {
        /// The address or path.
        place: String,
        /// Its error.
        #[source]
        source: io::Error,
    },
}

// === impl ListenError ===

impl ListenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotLoopback(_) => "use 127.0.0.1 or [::1], or listen with a certificate: Listener::tls",
            Self::Running(_) => "run: ikigai down",
            Self::NotASocket(_) => "move the file away, or use another state folder with --home",
            Self::OpenFolder(_) => "name a path in a folder of its own with http.shared_socket",
            Self::Folder { .. } => "make it for the user of the node: sudo install -d -o <user> /run/ikigai",
            Self::TooLong(_) => "use a shorter state folder with --home",
            Self::System { .. } => "is another program using it? choose another with --listen",
        }
    }
}

// === impl Listener ===

impl Listener {
    /// Listens on `path`; a socket that nobody answers on any more is replaced.
    ///
    /// # Errors
    /// [`ListenError`], above all when a node is running there.
    pub async fn unix(path: &Path) -> Result<Self, ListenError> {
        let (listener, file) = bind(path, 0o600).await?;
        Ok(Self::Unix(listener, file))
    }

    /// Listens on `path` for every Linux user of this machine who can get into its folder, which is made when it is
    /// not there.
    ///
    /// # Errors
    /// [`ListenError`], also when anybody could put another socket in its place.
    pub async fn shared(path: &Path) -> Result<Self, ListenError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let unusable = |source| ListenError::Folder { folder: folder.to_owned(), source };
        if !folder.exists() {
            std::fs::create_dir_all(folder).map_err(unusable)?;
            let all = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder, all).map_err(unusable)?;
        }
        if std::fs::metadata(folder).map_err(unusable)?.permissions().mode() & 0o002 != 0 {
            return Err(ListenError::OpenFolder(folder.to_owned()));
        }
        let (listener, file) = bind(path, 0o666).await?;
        Ok(Self::Shared(listener, file))
    }

    /// Listens on `address`, which must be a loopback one.
    ///
    /// # Errors
    /// [`ListenError::NotLoopback`] for any other, or what the system says.
    pub async fn tcp(address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        let system = |source| ListenError::System { place: address.to_string(), source };
        let listener = TcpListener::bind(address).await.map_err(system)?;
        let bound = listener.local_addr().map_err(system)?;
        Ok(Self::Tcp(listener, bound))
    }

    /// Listens on any `address`, for whoever speaks TLS.
    ///
    /// # Errors
    /// What the system says.
    pub async fn tls(address: SocketAddr, tls: Tls) -> Result<Self, ListenError> {
        let system = |source| ListenError::System { place: address.to_string(), source };
        let listener = TcpListener::bind(address).await.map_err(system)?;
        let bound = listener.local_addr().map_err(system)?;
        Ok(Self::Tls(listener, bound, tls))
    }

    /// What addresses of its pages begin with; `hosts` are names it is known by.
    pub(crate) fn page(&self, hosts: &[String]) -> Option<String> {
        match self {
            Self::Unix(..) | Self::Shared(..) => None,
            Self::Tcp(_, address) => Some(format!("http://{address}")),
            Self::Tls(_, address, _) if !address.ip().is_unspecified() => Some(format!("https://{address}")),
            Self::Tls(_, address, _) => {
                let host = hosts.first().map_or("localhost", String::as_str);
                Some(format!("https://{host}:{}", address.port()))
            }
        }
    }

    /// Where it listens: a path, or `http://address`.
    pub fn place(&self) -> String {
        match self {
            Self::Unix(_, file) | Self::Shared(_, file) => file.0.display().to_string(),
            Self::Tcp(_, address) => format!("http://{address}"),
            Self::Tls(_, address, _) => format!("https://{address}"),
        }
    }
}

/// A socket at `path`; one that nobody answers on any more is replaced.
async fn bind(path: &Path, mode: u32) -> Result<(UnixListener, SocketFile), ListenError> {
    if path.as_os_str().len() > MAX_SOCKET_PATH - 10 {
        return Err(ListenError::TooLong(path.to_owned()));
    }
    clear(path).await?;
    let system = |source| ListenError::System { place: path.display().to_string(), source };
    // Bound under another name and given its mode first, so that nobody ever meets one that is more open.
    let hidden = path.with_extension(format!("{}", std::process::id()));
    let _ = std::fs::remove_file(&hidden);
    let listener = UnixListener::bind(&hidden).map_err(system)?;
    let hidden = SocketFile(hidden);
    std::fs::set_permissions(&hidden.0, std::fs::Permissions::from_mode(mode)).map_err(system)?;
    std::fs::rename(&hidden.0, path).map_err(system)?;
    Ok((listener, SocketFile(path.to_owned())))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn clear(path: &Path) -> Result<(), ListenError> {
    let system = |source| ListenError::System { place: path.display().to_string(), source };
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(system(e)),
        Ok(meta) if !meta.file_type().is_socket() => return Err(ListenError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(ListenError::Running(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(system),
        Err(e) => Err(system(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_private_replaced_when_dead_and_never_taken_from_a_living_node() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ikigai.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = Listener::unix(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(matches!(Listener::unix(&path).await, Err(ListenError::Running(_))));
        drop(first);
        assert!(!path.exists());
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(Listener::unix(&path).await, Err(ListenError::NotASocket(_))));
        assert!(matches!(
            Listener::unix(&dir.path().join("x".repeat(100))).await,
            Err(ListenError::TooLong(_))
        ));
    }

    #[tokio::test]
    async fn the_socket_for_everybody_is_where_nobody_can_put_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/shared.sock");
        let listener = Listener::shared(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o022, 0);
        assert!(matches!(Listener::shared(&path).await, Err(ListenError::Running(_))));
        drop(listener);
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(path.parent().unwrap(), open).unwrap();
        assert!(matches!(Listener::shared(&path).await, Err(ListenError::OpenFolder(_))));
    }

    #[tokio::test]
    async fn only_loopback_is_served() {
        for bad in ["0.0.0.0:0", "[::]:0", "192.168.1.2:7420", "[::ffff:127.0.0.1]:0"] {
            let error = Listener::tcp(bad.parse().unwrap()).await.unwrap_err();
            assert!(matches!(error, ListenError::NotLoopback(_)), "{bad}: {error}");
        }
        assert!(Listener::tcp("127.0.0.1:0".parse().unwrap()).await.is_ok());
    }
}
