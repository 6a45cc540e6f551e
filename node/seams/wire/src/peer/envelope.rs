//! DSSE envelopes: a payload, its type, and who signed it. The bytes that are signed are DSSE's
//! pre-authentication encoding, so that a payload of one type never passes for another.

use ikigai_types::NodeId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Payload types begin with this.
pub const PAYLOAD_TYPE: &str = "application/vnd.ikigai.";

/// A signed payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is: `application/vnd.ikigai.<name>+json`.
    pub payload_type: String,
    /// The payload as it was signed: JSON text, byte for byte.
    pub payload: String,
    /// The key that signed it.
    pub signer: NodeId,
    /// Ed25519 signature over [`Envelope::signed_bytes`], hexadecimal.
    pub signature: String,
}

/// Why an envelope is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It carries something else than was asked for.
    #[error("the envelope carries `{0}`")]
    Type(String),
    /// The signature is not that of its signer over these bytes.
    #[error("the signature of {0} is not good")]
    Signature(NodeId),
    /// It is signed, and still not what it should be.
    #[error("the payload cannot be read: {0}")]
    Payload(String),
}

impl Envelope {
    /// Signs `payload` as `<name>`; `sign` is given the bytes to be signed.
    ///
    /// # Errors
    /// What `sign` answers.
    ///
    /// # Panics
    /// Never for documents of this crate: they have string keys and no failing serializer.
    pub fn seal<T: Serialize, E>(
        name: &str,
        payload: &T,
        signer: NodeId,
        sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
    ) -> Result<Self, E> {
        let payload = serde_json::to_string(payload).expect("invariant: documents serialize");
        let payload_type = format!("{PAYLOAD_TYPE}{name}+json");
        let signature = sign(&pae(&payload_type, payload.as_bytes()))?;
        let signature = signature.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self { payload_type, payload, signer, signature })
    }

    /// The payload, if it is a `<name>` and `verify` (key, bytes, signature) finds it signed by `signer`.
    ///
    /// # Errors
    /// [`EnvelopeError`], which names what is wrong.
    pub fn open<T: DeserializeOwned>(
        &self,
        name: &str,
        verify: impl FnOnce(&[u8; 32], &[u8], &[u8; 64]) -> bool,
    ) -> Result<T, EnvelopeError> {
        if !self.is(name) {
            return Err(EnvelopeError::Type(self.payload_type.chars().take(80).collect()));
        }
        let bad = || EnvelopeError::Signature(self.signer);
        let signature = signature(&self.signature).ok_or_else(bad)?;
        if !verify(self.signer.as_bytes(), &self.signed_bytes(), &signature) {
            return Err(bad());
        }
        serde_json::from_str(&self.payload).map_err(|e| EnvelopeError::Payload(e.to_string()))
    }

    /// Whether it says to be a `<name>`.
    pub fn is(&self, name: &str) -> bool {
        let inner = self.payload_type.strip_prefix(PAYLOAD_TYPE).and_then(|t| t.strip_suffix("+json"));
        inner == Some(name)
    }

    /// What the signature is over.
    pub fn signed_bytes(&self) -> Vec<u8> {
        pae(&self.payload_type, self.payload.as_bytes())
    }
}

/// DSSE's pre-authentication encoding.
fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn signature(hex: &str) -> Option<[u8; 64]> {
    if hex.len() != 128 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 64];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Envelope {
        let sign = |bytes: &[u8]| Ok::<_, ()>([u8::try_from(bytes.len()).unwrap(); 64]);
        Envelope::seal("test", &"hello", NodeId::from_bytes([7; 32]), sign).unwrap()
    }

    fn verify(_: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
        usize::from(signature[0]) == bytes.len()
    }

    #[test]
    fn the_encoding_is_that_of_the_dsse_specification() {
        let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
        assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), expected);
    }

    #[test]
    fn what_was_sealed_opens_and_what_was_changed_does_not() {
        assert_eq!(sealed().open::<String>("test", verify), Ok("hello".to_owned()));
        assert!(matches!(sealed().open::<String>("other", verify), Err(EnvelopeError::Type(_))));
        let longer = Envelope { payload: "\"hello!\"".to_owned(), ..sealed() };
        assert!(matches!(longer.open::<String>("test", verify), Err(EnvelopeError::Signature(_))));
        for signature in ["", "zz", &"é".repeat(64)] {
            let broken = Envelope { signature: signature.to_owned(), ..sealed() };
            assert!(matches!(broken.open::<String>("test", verify), Err(EnvelopeError::Signature(_))));
        }
        let number = Envelope::seal("test", &1, NodeId::from_bytes([7; 32]), |b| {
            Ok::<_, ()>([u8::try_from(b.len()).unwrap(); 64])
        });
        assert!(matches!(number.unwrap().open::<String>("test", verify), Err(EnvelopeError::Payload(_))));
    }
}
