//! What a node says of itself, as it travels: a claim and its seal, relayed as they came.
//!
//! Bytes: length of the claim (two, big-endian), claim, seal. Claim: id (32), flags (1; bit 0: leaves),
//! incarnation, version, length of the advertisement (variable-length integers), advertisement. What a later
//! release adds after it is covered by the seal and relayed by nodes that do not know it.

use crate::frame::{FrameError, Reader, put_varint};
use crate::seal::{SEAL_MAX, Seal};
use ikigai_types::NodeId;
use std::sync::Arc;

/// The longest advertisement, in bytes.
pub const ADVERTISEMENT_MAX: usize = 4_096;

/// The longest record, in bytes: the longest advertisement, its frame of fields, and room for later ones.
pub const RECORD_MAX: usize = ADVERTISEMENT_MAX + 160 + SEAL_MAX;

const LEAVES: u8 = 1;

/// What a node says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Which node.
    pub node: NodeId,
    /// The number of its life and of its refutations.
    pub incarnation: u64,
    /// The number of this record within the incarnation.
    pub version: u64,
    /// It goes.
    pub left: bool,
    /// Bytes that mean something to the driver.
    pub advertisement: &'a [u8],
    /// What is sealed.
    pub claim: &'a [u8],
    /// The seal.
    pub seal: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// [`FrameError`] if the bytes are no record, or one that is too long.
    pub fn parse(raw: &'a [u8]) -> Result<Self, FrameError> {
        if raw.len() > RECORD_MAX {
            return Err(FrameError::TooLong);
        }
        let mut outer = Reader::new(raw);
        let length = usize::from(u16::from_be_bytes(outer.array()?));
        let claim = outer.bytes(length)?;
        let seal = outer.rest();
        if seal.len() > SEAL_MAX {
            return Err(FrameError::TooLong);
        }
        let mut fields = Reader::new(claim);
        let node = NodeId::from_bytes(fields.array()?);
        let flags = fields.byte()?;
        let incarnation = fields.varint()?;
        let version = fields.varint()?;
        let length = usize::try_from(fields.varint()?).map_err(|_| FrameError::TooLong)?;
        if length > ADVERTISEMENT_MAX {
            return Err(FrameError::TooLong);
        }
        let advertisement = fields.bytes(length)?;
        Ok(Self { node, incarnation, version, left: flags & LEAVES != 0, advertisement, claim, seal })
    }

    /// Only what is greater replaces another.
    pub const fn key(&self) -> (u64, u64) {
        (self.incarnation, self.version)
    }
}

/// Makes the record of a node.
pub fn write(
    node: &NodeId,
    (incarnation, version): (u64, u64),
    left: bool,
    advertisement: &[u8],
    seal: &dyn Seal,
) -> Arc<[u8]> {
    let mut claim = Vec::with_capacity(64 + advertisement.len());
    claim.extend_from_slice(node.as_bytes());
    claim.push(if left { LEAVES } else { 0 });
    put_varint(&mut claim, incarnation);
    put_varint(&mut claim, version);
    put_varint(&mut claim, advertisement.len() as u64);
    claim.extend_from_slice(advertisement);
    let length =
        u16::try_from(claim.len()).expect("invariant: advertisements are bounded where they come in");
    let mut raw = length.to_be_bytes().to_vec();
    raw.extend_from_slice(&claim);
    raw.extend_from_slice(&seal.seal(&claim));
    raw.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Unsealed;

    #[test]
    fn a_record_reads_what_was_written() {
        let node = NodeId::from_bytes([9; 32]);
        let raw = write(&node, (3, 70_000), true, b"cpu=4", &Unsealed);
        let record = Record::parse(&raw).unwrap();
        assert_eq!((record.node, record.key(), record.left), (node, (3, 70_000), true));
        assert_eq!(record.advertisement, b"cpu=4");
        for cut in 0..raw.len() {
            assert!(Record::parse(&raw[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn fields_of_a_later_release_are_kept_and_skipped() {
        let node = NodeId::from_bytes([9; 32]);
        let raw = write(&node, (1, 1), false, b"x", &Unsealed);
        let mut later = raw.to_vec();
        later.extend_from_slice(b"later");
        let length = u16::from_be_bytes([later[0], later[1]]) + 5;
        later[..2].copy_from_slice(&length.to_be_bytes());
        let record = Record::parse(&later).unwrap();
        assert_eq!(record.advertisement, b"x");
        assert!(record.claim.ends_with(b"later"));
    }
}
