//! Who may call: the token, kept as a hash, and the host names the API answers to.

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What a caller over TCP must show.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// Hash of the token; `None`: nobody may call over TCP.
    pub token: Option<TokenHash>,
    /// Host names beside `localhost`, `127.0.0.1` and `[::1]` that the API answers to, without port.
    pub hosts: Vec<String>,
}

/// SHA-256 of a token; the token itself is not kept in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

// === impl TokenHash ===

impl TokenHash {
    /// Hashes `token`, surrounding white space aside.
    pub fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.trim().as_bytes()).as_ref());
        Self(hash)
    }

    /// Whether `token` is the one; takes the same time for every answer.
    pub fn admits(&self, token: &str) -> bool {
        let other = Self::of(token);
        self.0.iter().zip(other.0).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash([redacted])")
    }
}

/// The hash of the token in `path`, which is made with 32 random bytes when it is not there.
///
/// # Errors
/// When the file cannot be read or made, is readable by others, or holds no token.
pub fn load_or_create(path: &Path) -> io::Result<TokenHash> {
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let token = random_hex::<32>();
            file.write_all(token.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            Ok(TokenHash::of(&token))
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => read_token(path).map(|t| TokenHash::of(&t)),
        Err(e) => Err(e),
    }
}

fn read_token(path: &Path) -> io::Result<String> {
    let file = std::fs::File::open(path)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        let text = format!("{} can be read by others; run: chmod 600 {0}", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    let mut token = String::new();
    file.take(4096).read_to_string(&mut token)?;
    let token = token.trim().to_owned();
    if token.len() < 32 {
        let text =
            format!("{} holds no token of 32 characters or more; remove it and start again", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(token)
}

/// `N` random bytes in hexadecimal.
pub(crate) fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("invariant: the kernel gives random bytes");
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn token_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.token");
        let made = load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(load_or_create(&path).unwrap(), made);
        let token = std::fs::read_to_string(&path).unwrap();
        assert!(made.admits(&token) && token.trim().len() == 64);
        assert!(!made.admits("") && !made.admits(&token[1..]));
        assert!(!format!("{made:?}").contains(&token[..8]));
    }

    #[test]
    fn a_token_others_can_read_or_that_is_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.token");
        load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load_or_create(&path).unwrap_err().to_string().contains("chmod 600"));
        std::fs::write(&path, "short").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(load_or_create(&path).is_err());
    }
}
