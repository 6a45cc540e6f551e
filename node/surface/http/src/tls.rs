//! The node's own certificate: made once, kept in its folder, and known by its fingerprint.

use rcgen::{CertificateParams, KeyPair};
use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// File of the certificate, below the node's folder.
const CERTIFICATE: &str = "tls.crt";
/// File of its key.
const KEY: &str = "tls.key";

/// A certificate and its key, ready to be served with.
#[derive(Clone)]
pub struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    fingerprint: String,
}

impl Tls {
    /// The certificate in `folder`, made for `names` when there is none. An organisation may put its own there.
    ///
    /// # Errors
    /// When the files cannot be read or made, are readable by others, or are no certificate and its key.
    pub fn load_or_create(folder: &Path, names: &[String]) -> io::Result<Self> {
        let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
        if !certificate.exists() && !key.exists() {
            make(&certificate, &key, names)?;
        }
        let mode = std::fs::metadata(&key)?.mode();
        if mode & 0o077 != 0 {
            let text = format!("{} can be read by others; run: chmod 600 {0}", key.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        let wrong = |file: &Path, e: &dyn fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} cannot be used: {e}", file.display()))
        };
        let chain = CertificateDer::pem_file_iter(&certificate).map_err(|e| wrong(&certificate, &e))?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|e| wrong(&certificate, &e))?;
        let first = chain.first().ok_or_else(|| wrong(&certificate, &"it has no certificate"))?;
        let fingerprint = fingerprint(first);
        let secret = PrivateKeyDer::from_pem_file(&key).map_err(|e| wrong(&key, &e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|e| wrong(&certificate, &e))?.with_no_client_auth();
        let mut config = config.with_single_cert(chain, secret).map_err(|e| wrong(&certificate, &e))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), fingerprint })
    }

    /// `sha256:` and 64 hex digits of the certificate: what a caller compares.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// `sha256:` and 64 hex digits of a certificate.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let hash = digest(&SHA256, certificate.as_ref());
    let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

fn make(certificate: &Path, key: &Path, names: &[String]) -> io::Result<()> {
    let failed = |e: rcgen::Error| io::Error::other(format!("the node's certificate cannot be made: {e}"));
    let pair = KeyPair::generate().map_err(failed)?;
    let signed = CertificateParams::new(names.to_vec()).and_then(|p| p.self_signed(&pair)).map_err(failed)?;
    // The key first: a certificate without its key would stop every later start.
    write(key, &pair.serialize_pem(), 0o600)?;
    write(certificate, &signed.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "10.0.0.1".to_owned()];
        let made = Tls::load_or_create(dir.path(), &names).unwrap();
        let again = Tls::load_or_create(dir.path(), &[]).unwrap();
        assert_eq!(made.fingerprint(), again.fingerprint());
        assert!(made.fingerprint().starts_with("sha256:") && made.fingerprint().len() == 71);
        let key = dir.path().join(KEY);
        assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Tls::load_or_create(dir.path(), &names).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&key, "x").unwrap();
        assert!(Tls::load_or_create(dir.path(), &names).is_err());
    }
}
