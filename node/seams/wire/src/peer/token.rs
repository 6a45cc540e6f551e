//! The text that lets a machine in: who to go to, and the key it may knock with.

use ikigai_enrolment::MeshId;
use ikigai_enrolment::text::{MAX_ADDRESSES, is_address};
use ikigai_types::{NodeId, Timestamp};
use std::fmt;

/// What every token begins with.
const PREFIX: &str = "ik1_";
/// Longest token: the longest there is has about 2,900 characters.
const MAX_TEXT: usize = 4096;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An invitation, as it is handed from person to person. Whoever has it can use it, once.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The mesh it leads into.
    pub mesh: MeshId,
    /// The node that made it, and alone takes it.
    pub inviter: NodeId,
    /// Where that node is.
    pub addresses: Vec<String>,
    /// Until when it is good, by that node's clock.
    pub expires: Timestamp,
    /// The ed25519 seed of the key to knock with.
    pub seed: [u8; 32],
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not begin as one.
    #[error("this is no invitation: one begins with `{PREFIX}`")]
    Foreign,
    /// It is of a later version.
    #[error("this invitation was made by a newer version")]
    Newer,
    /// A part of it is missing or changed.
    #[error("this invitation is damaged: a part of it is missing or changed")]
    Damaged,
}

// === impl Token ===

impl Token {
    /// The text of it. Addresses that look like none, or are more than eight, are left out.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(self.mesh.as_bytes());
        bytes.extend_from_slice(self.inviter.as_bytes());
        bytes.extend_from_slice(&self.seed);
        bytes.extend_from_slice(&self.expires.0.to_be_bytes());
        for address in self.addresses.iter().filter(|a| is_address(a)).take(MAX_ADDRESSES) {
            let length = u16::try_from(address.len()).expect("invariant: an address has at most 256 bytes");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(address.as_bytes());
        }
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        format!("{PREFIX}{}", base64(&bytes))
    }

    /// The token in `text`; blanks around it do not matter.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let Some(body) = text.strip_prefix(PREFIX) else {
            let number = text.strip_prefix("ik").and_then(|t| t.split_once('_')).map(|(n, _)| n);
            let newer = number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
            return Err(if newer { TokenError::Newer } else { TokenError::Foreign });
        };
        if text.len() > MAX_TEXT {
            return Err(TokenError::Damaged);
        }
        unbase64(body).and_then(|bytes| Self::parse(&bytes)).ok_or(TokenError::Damaged)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (bytes, sum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(bytes) != u32::from_be_bytes(*sum) {
            return None;
        }
        let (mesh, rest) = bytes.split_first_chunk::<32>()?;
        let (inviter, rest) = rest.split_first_chunk::<32>()?;
        let (seed, rest) = rest.split_first_chunk::<32>()?;
        let (expires, mut rest) = rest.split_first_chunk::<8>()?;
        let mut addresses = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (address, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let address = std::str::from_utf8(address).ok().filter(|a| is_address(a))?;
            addresses.push(address.to_owned());
            rest = after;
        }
        Some(Self {
            mesh: MeshId::from_bytes(*mesh),
            inviter: NodeId::from_bytes(*inviter),
            addresses: Some(addresses).filter(|a| a.len() <= MAX_ADDRESSES)?,
            expires: Timestamp(u64::from_be_bytes(*expires)),
            seed: *seed,
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("mesh", &self.mesh)
            .field("inviter", &self.inviter)
            .field("addresses", &self.addresses)
            .field("expires", &self.expires)
            .field("seed", &"[redacted]")
            .finish()
    }
}

/// Base64url without padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |all, b| all << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for n in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * n) & 63) as usize]));
        }
    }
    text
}

/// What [`base64`] wrote, and nothing else.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for c in chunk {
            bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|a| a == c)?).ok()?;
        }
        bits <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    (base64(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> Token {
        Token {
            mesh: MeshId::from_bytes([1; 32]),
            inviter: NodeId::from_bytes([2; 32]),
            addresses: vec!["/ip4/10.0.0.1/tcp/7421".to_owned(), "/dns/a/tcp/1".to_owned()],
            expires: Timestamp(1_800_000_000_000),
            seed: [3; 32],
        }
    }

    #[test]
    fn a_token_reads_what_it_writes_and_hides_its_key() {
        let text = token().encode();
        assert_eq!(Token::decode(&format!(" {text}\n")), Ok(token()));
        assert!(format!("{:?}", token()).contains("[redacted]"));
        assert!(!format!("{:?}", token()).contains("3, 3"));
    }

    #[test]
    fn a_text_that_is_none_is_told_from_a_damaged_and_from_a_newer_one() {
        assert_eq!(Token::decode("hello"), Err(TokenError::Foreign));
        assert_eq!(Token::decode("ik_x"), Err(TokenError::Foreign));
        assert_eq!(Token::decode("ik2_abc"), Err(TokenError::Newer));
        assert_eq!(Token::decode("ik1_"), Err(TokenError::Damaged));
        let text = token().encode();
        for n in PREFIX.len()..text.len() {
            assert_eq!(Token::decode(&text[..n]), Err(TokenError::Damaged));
            let other = if &text[n..=n] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &text[..n], &text[n + 1..]);
            assert_eq!(Token::decode(&changed), Err(TokenError::Damaged), "at {n}");
        }
        assert_eq!(Token::decode(&format!("ik1_{}", "A".repeat(5000))), Err(TokenError::Damaged));
    }

    proptest! {
        #[test]
        fn reading_never_fails_badly(text in "(ik1_)?[A-Za-z0-9_é-]{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Token::decode(&text);
            let mut sealed = bytes.clone();
            sealed.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
            let _ = Token::decode(&format!("ik1_{}", base64(&sealed)));
            prop_assert_eq!(unbase64(&base64(&bytes)), Some(bytes));
        }
    }
}
