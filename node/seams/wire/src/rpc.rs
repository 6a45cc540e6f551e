//! How nodes ask each other: the bytes of a call, and the documents that only calls have.
//!
//! A message is one MessagePack map with its fields by name, so that a reader passes over what it does not
//! know and a field that is absent has its default: a node and one that is a version older understand each
//! other. Messages of a stream are one or more [`Item`]s, one after the other. Pieces of a pack are raw bytes.

mod ask;
mod fault;

pub use ask::{Cursor, Direct, Instruct, Item, LogsFrom, Named, Nothing, PackOf, Steer, Submission, Text};
pub use fault::{Fault, FaultKind, MAX_FAULT_TEXT, cut};

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;

/// A message that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be read: {0}")]
pub struct Unreadable(String);

/// The bytes of a message.
///
/// # Panics
/// Never for documents of this crate: their maps have string keys and no serializer of theirs fails.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    encode_onto(&mut bytes, message);
    bytes
}

/// Adds the bytes of a message to those that are there.
///
/// # Panics
/// As [`encode`].
pub fn encode_onto<T: Serialize>(bytes: &mut Vec<u8>, message: &T) {
    let mut writer = rmp_serde::Serializer::new(bytes).with_struct_map();
    message.serialize(&mut writer).expect("invariant: documents serialize");
}

/// The message in `bytes`, which hold it and nothing after it.
///
/// # Errors
/// [`Unreadable`] when it is not whole, not of this kind, or followed by something else.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let mut reader = Reader::new(bytes);
    let message = reader.message()?;
    if reader.is_at_end() { Ok(message) } else { Err(Unreadable("something follows it".to_owned())) }
}

/// Every message in `bytes`, which stand one after the other.
///
/// # Errors
/// [`Unreadable`] when one of them is not whole or not of this kind.
pub fn decode_all<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, Unreadable> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(|| (!reader.is_at_end()).then(|| reader.message())).collect()
}

/// Deepest nesting that is read; the deepest document has about ten.
const MAX_DEPTH: usize = 64;

/// Messages that are still to be read.
struct Reader<'a> {
    inner: rmp_serde::Deserializer<rmp_serde::decode::ReadReader<io::Cursor<&'a [u8]>>>,
    length: u64,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut inner = rmp_serde::Deserializer::new(io::Cursor::new(bytes));
        inner.set_max_depth(MAX_DEPTH);
        Self { inner, length: bytes.len() as u64 }
    }

    fn message<T: DeserializeOwned>(&mut self) -> Result<T, Unreadable> {
        T::deserialize(&mut self.inner).map_err(|e| Unreadable(cut(&e.to_string(), 200)))
    }

    fn is_at_end(&self) -> bool {
        self.inner.position() >= self.length
    }
}
