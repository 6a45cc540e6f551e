//! Statements about who belongs to a mesh, as they are signed and sent: an [`Envelope`] around each.

use super::{Envelope, EnvelopeError};
use ikigai_enrolment::{Flaw, Said, Statement, StatementId};
use ikigai_types::NodeId;

/// Longest payload of a statement, in bytes.
const MAX_PAYLOAD: usize = 16 << 10;

const ENROL: &str = "enrol";
const REMOVE: &str = "remove";
const ADDRESS: &str = "address";

/// Why what was sent is no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// It is longer than any statement.
    #[error("it is longer than {MAX_PAYLOAD} bytes")]
    Long,
    /// The envelope is not good.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It is signed, and outside its bounds.
    #[error(transparent)]
    Flaw(#[from] Flaw),
}

/// Signs what `signer` says; `sign` is given the bytes to be signed.
///
/// # Errors
/// What `sign` answers.
pub fn seal<E>(
    said: &Said,
    signer: NodeId,
    sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
) -> Result<Envelope, E> {
    match said {
        Said::Enrol(enrol) => Envelope::seal(ENROL, enrol, signer, sign),
        Said::Remove(remove) => Envelope::seal(REMOVE, remove, signer, sign),
        Said::Address(address) => Envelope::seal(ADDRESS, address, signer, sign),
    }
}

/// The statement in `envelope`, if `verify` (key, bytes, signature) finds it signed by its signer.
///
/// # Errors
/// [`Unsound`], which names what is wrong.
pub fn read(
    envelope: &Envelope,
    verify: impl FnOnce(&[u8; 32], &[u8], &[u8; 64]) -> bool,
) -> Result<Statement, Unsound> {
    if envelope.payload.len() > MAX_PAYLOAD {
        return Err(Unsound::Long);
    }
    let name = [ENROL, REMOVE].into_iter().find(|n| envelope.is(n)).unwrap_or(ADDRESS);
    let said = match name {
        ENROL => Said::Enrol(envelope.open(name, verify)?),
        REMOVE => Said::Remove(envelope.open(name, verify)?),
        _ => Said::Address(envelope.open(name, verify)?),
    };
    Ok(Statement::verified(envelope.signer, said, &envelope.signed_bytes())?)
}

/// The name of what is in `envelope`, whether or not it is signed.
pub fn id(envelope: &Envelope) -> StatementId {
    StatementId::of(envelope.signer, &envelope.signed_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_enrolment::Roster;
    use ikigai_enrolment::roster::found;
    use ikigai_types::Timestamp;

    fn verify(_: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
        usize::from(signature[0]) == bytes.len() % 251
    }

    fn sealed(said: &Said, by: NodeId) -> Envelope {
        seal(said, by, |b| Ok::<_, ()>([u8::try_from(b.len() % 251).unwrap(); 64])).unwrap()
    }

    #[test]
    fn what_was_said_is_what_is_read() {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let root = found(a, "a", vec!["/ip4/10.0.0.1/tcp/7421".to_owned()], "n".to_owned(), Timestamp(1));
        let mut roster = Roster::new(root.mesh);
        let all = [
            Said::Enrol(root),
            Said::Enrol(roster.enrol(a, b, "b", vec![], Timestamp(2))),
            Said::Remove(roster.remove(a, b, Timestamp(3))),
            Said::Address(roster.address(vec![], Timestamp(4))),
        ];
        for said in all {
            let envelope = sealed(&said, a);
            let statement = read(&envelope, verify).unwrap();
            assert_eq!((statement.said(), statement.signer(), statement.id()), (&said, a, id(&envelope)));
            assert!(roster.merge([statement]).refused.is_empty());
        }
        assert!(roster.is_removed(b));
    }

    #[test]
    fn what_is_not_signed_or_not_a_statement_is_none() {
        let a = NodeId::from_bytes([1; 32]);
        let root = found(a, "a", vec![], "n".to_owned(), Timestamp(1));
        let good = sealed(&Said::Enrol(root.clone()), a);
        let broken = Envelope { signature: "00".repeat(64), ..good.clone() };
        assert!(matches!(read(&broken, verify), Err(Unsound::Envelope(EnvelopeError::Signature(_)))));
        let other = Envelope { payload_type: good.payload_type.replace("enrol", "join"), ..good.clone() };
        assert!(matches!(read(&other, verify), Err(Unsound::Envelope(EnvelopeError::Type(_)))));
        let posing = Envelope { payload_type: good.payload_type.replace("enrol", "remove"), ..good.clone() };
        assert!(matches!(read(&posing, verify), Err(Unsound::Envelope(EnvelopeError::Signature(_)))));
        let long = Envelope { payload: " ".repeat(MAX_PAYLOAD + 1), ..good };
        assert_eq!(read(&long, verify), Err(Unsound::Long));
        let crowd = ikigai_enrolment::Enrol { addresses: vec!["/a".to_owned(); 9], ..root };
        assert_eq!(read(&sealed(&Said::Enrol(crowd), a), verify), Err(Unsound::Flaw(Flaw::Bounds)));
    }
}
