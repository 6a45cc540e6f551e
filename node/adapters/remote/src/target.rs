//! The other end: a Unix socket, or loopback HTTP with a token.

use crate::pin;
use ikigai_wire::api::{Code, Problem};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Where a node is.
#[derive(Clone)]
pub(crate) enum Target {
    Unix(PathBuf),
    Http {
        host: String,
        port: u16,
        token: String,
    },
    /// Over TLS; the other end is who has the certificate of this fingerprint.
    Https {
        host: String,
        port: u16,
        token: String,
        fingerprint: String,
    },
}

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

// === impl Target ===

impl Target {
    /// Reads `http://host:port`; without TLS, only a loopback host is sent a token.
    pub(crate) fn http(base: &str, token: &str) -> Result<Self, Problem> {
        let (host, port) = Self::place(base)?;
        if !ikigai_types::host::is_this_machine(&host) {
            let hint = "name it with https:// and --fingerprint, or forward the port with: ssh -L 7420:127.0.0.1:7420 <machine>";
            let text = format!("{host} is not this machine, and http:// has no TLS");
            return Err(Problem::new(Code::Denied, text, hint));
        }
        Ok(Self::Http { host, port, token: Self::token(token)? })
    }

    fn place(base: &str) -> Result<(String, u16), Problem> {
        let wrong = |text: String| Problem::new(Code::Usage, text, "use http://127.0.0.1:7420");
        let rest = base.strip_prefix("http://").map(|r| r.trim_end_matches('/'));
        let rest = rest.filter(|r| !r.contains(['/', '@', '?', '#']));
        let authority = rest.ok_or_else(|| wrong(format!("`{base}` is not the address of a node")))?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !authority.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong(format!("`{port}` is not a port")))?)
            }
            _ => (authority, 7420),
        };
        Ok((host.to_owned(), port))
    }

    fn token(token: &str) -> Result<String, Problem> {
        if token.trim().is_empty() || !token.trim().bytes().all(|b| b.is_ascii_graphic()) {
            let hint = "name the file with --token-file or IKIGAI_TOKEN_FILE";
            return Err(Problem::new(Code::Unauthenticated, "the token cannot be used", hint));
        }
        Ok(token.trim().to_owned())
    }

    /// Reads `https://host:port` of any machine, known by its certificate's fingerprint.
    pub(crate) fn https(base: &str, token: &str, fingerprint: &str) -> Result<Self, Problem> {
        let hint = "`ikigai up` prints it on that machine: sha256: and 64 digits";
        let hex = fingerprint.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Problem::new(Code::Usage, "this is no fingerprint", hint));
        }
        let plain = base.strip_prefix("https://").map(|rest| format!("http://{rest}"));
        let plain =
            plain.ok_or_else(|| Problem::new(Code::Usage, format!("`{base}` is not https://…"), hint))?;
        let (host, port) = Self::place(&plain)?;
        let fingerprint = fingerprint.to_ascii_lowercase();
        Ok(Self::Https { host, port, token: Self::token(token)?, fingerprint })
    }

    pub(crate) async fn connect(&self) -> Result<Box<dyn Stream>, Problem> {
        let connecting = async {
            Ok::<Box<dyn Stream>, io::Error>(match self {
                Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
                Self::Http { host, port, .. } => {
                    let bare = host.trim_start_matches('[').trim_end_matches(']');
                    let stream = TcpStream::connect((bare, *port)).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream)
                }
                Self::Https { host, port, fingerprint, .. } => {
                    let bare = host.trim_start_matches('[').trim_end_matches(']');
                    let stream = TcpStream::connect((bare, *port)).await?;
                    stream.set_nodelay(true)?;
                    Box::new(pin::connect(stream, bare, fingerprint).await?)
                }
            })
        };
        match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => {
                Err(Problem::new(Code::Unreachable, format!("{self} does not answer"), "run: ikigai doctor"))
            }
        }
    }

    fn refused(&self, error: &io::Error) -> Problem {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Problem::new(Code::Unreachable, format!("no node answers on {self}"), "run: ikigai up")
            }
            io::ErrorKind::PermissionDenied => {
                let text = format!("{self} belongs to another user");
                let hint =
                    "run this as the user that runs the node, or have that user set http.shared_socket";
                Problem::new(Code::Unauthenticated, text, hint)
            }
            _ => {
                Problem::new(Code::Unreachable, format!("cannot reach {self}: {error}"), "run: ikigai doctor")
            }
        }
    }

    /// What Host says.
    pub(crate) fn host(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".into(),
            Self::Http { host, port, .. } | Self::Https { host, port, .. } => format!("{host}:{port}"),
        }
    }

    pub(crate) fn bearer(&self) -> Option<String> {
        match self {
            Self::Unix(_) => None,
            Self::Http { token, .. } | Self::Https { token, .. } => Some(format!("Bearer {token}")),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Http { host, port, .. } => write!(f, "http://{host}:{port}"),
            Self::Https { host, port, .. } => write!(f, "https://{host}:{port}"),
        }
    }
}

/// Without the token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_gets_the_token() {
        for (base, place) in [
            ("http://127.0.0.1:7420", "http://127.0.0.1:7420"),
            ("http://localhost:81/", "http://localhost:81"),
            ("http://localhost", "http://localhost:7420"),
            ("http://[::1]:7420", "http://[::1]:7420"),
            ("http://[::1]", "http://[::1]:7420"),
        ] {
            assert_eq!(Target::http(base, "t").unwrap().to_string(), place);
        }
        for base in [
            "https://localhost",
            "localhost:7420",
            "http://box.lan:7420",
            "http://localhost@evil:1",
            "http://10.0.0.1:7420",
            "http://localhost:x",
            "http://localhost/v1",
            "http://localhost.evil.example",
            "http://",
        ] {
            assert!(Target::http(base, "t").is_err(), "{base}");
        }
        assert!(Target::http("http://localhost", " ").is_err());
        assert!(Target::http("http://localhost", "a\nb").is_err());
        assert!(!format!("{:?}", Target::http("http://localhost", "hush").unwrap()).contains("hush"));
    }
}
