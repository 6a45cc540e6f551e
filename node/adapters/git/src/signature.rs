//! SSH signatures over git objects (SSHSIG, namespace `git`), made with a key that is not shown.

use ikigai_ports::{PortError, PortResult, Signer};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};

const NAMESPACE: &str = "git";
const HASH: HashAlg = HashAlg::Sha512;

/// An armoured signature over `content` that `git verify-commit` and `ssh-keygen -Y verify` accept.
///
/// # Errors
/// What the signer says when its key cannot be used.
pub fn armoured(content: &[u8], signer: &dyn Signer) -> PortResult<String> {
    let signed = SshSig::signed_data(NAMESPACE, HASH, content).map_err(invalid)?;
    let raw = signer.sign(&signed)?;
    let key = KeyData::Ed25519(Ed25519PublicKey(signer.public_key()));
    let signature = Signature::new(Algorithm::Ed25519, raw.to_vec()).map_err(invalid)?;
    let armour = SshSig::new(key, NAMESPACE, HASH, signature).map_err(invalid)?;
    armour.to_pem(LineEnding::LF).map_err(invalid)
}

/// The key of `signer` as OpenSSH writes it: `ssh-ed25519 AAAA…`.
pub fn public_line(signer: &dyn Signer) -> String {
    let key = ssh_key::PublicKey::from(Ed25519PublicKey(signer.public_key()));
    key.to_openssh().expect("invariant: an ed25519 key always has an OpenSSH form")
}

fn invalid(error: ssh_key::Error) -> PortError {
    PortError::failed("signing a commit", error)
}
