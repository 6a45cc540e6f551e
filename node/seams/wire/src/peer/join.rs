//! How a machine is enrolled: [`Hello`], [`Answer::Challenge`], a signed [`Request`], [`Answer::Page`] after
//! page of the roster; or [`Answer::Refused`] in place of any answer. Each is one frame.

use super::Envelope;
use ikigai_enrolment::{JoinRefusal, MeshId};
use ikigai_types::{NodeId, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of this protocol.
pub const VERSION: u32 = 1;
/// Longest frame, without its length.
pub const MAX_FRAME: usize = 64 << 10;
/// What a [`Request`] is signed as.
pub const REQUEST: &str = "join";

/// The joiner's first word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The version it speaks.
    pub version: u32,
    /// The mesh it was invited to.
    pub mesh: MeshId,
    /// Its own key; not proven yet.
    pub node: NodeId,
}

/// What the node that invited says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Answer {
    /// Prove that the key is yours.
    Challenge {
        /// Used once.
        nonce: String,
        /// The time there.
        now: Timestamp,
    },
    /// You do not come in.
    Refused {
        /// Why.
        refusal: JoinRefusal,
    },
    /// You are in, and this is who else is.
    Page {
        /// Statements, each after one that enrols its signer.
        statements: Vec<Envelope>,
        /// Whether these were the last.
        last: bool,
    },
}

/// What the joiner signs with its own key: that it is this key, and wants in here, now, on this invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The mesh.
    pub mesh: MeshId,
    /// The node that invited.
    pub host: NodeId,
    /// The invitation.
    pub guest: NodeId,
    /// What the challenge said.
    pub nonce: String,
    /// What the joiner is called.
    pub name: String,
    /// Where it can be reached.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// A frame that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is longer than any.
    #[error("a frame of {0} bytes is longer than {MAX_FRAME}")]
    Long(usize),
    /// It cannot be read.
    #[error("a frame cannot be read: {0}")]
    Unreadable(String),
}

/// A message with its length before it: four bytes, the highest first.
///
/// # Errors
/// [`FrameError::Long`].
///
/// # Panics
/// Never for documents of this crate: they have string keys and no failing serializer.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let body = serde_json::to_vec(message).expect("invariant: documents serialize");
    let length = length(u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes())?;
    let mut frame = Vec::with_capacity(4 + length);
    frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// How long the frame is that begins with `head`.
///
/// # Errors
/// [`FrameError::Long`].
pub fn length(head: [u8; 4]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if length > MAX_FRAME { Err(FrameError::Long(length)) } else { Ok(length) }
}

/// The message of a frame, without its length.
///
/// # Errors
/// [`FrameError::Unreadable`].
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body)
        .map_err(|e| FrameError::Unreadable(e.to_string().chars().take(200).collect()))
}

/// The roster as answers, each within a frame.
pub fn pages(statements: Vec<Envelope>) -> Vec<Answer> {
    let mut pages: Vec<Vec<Envelope>> = vec![Vec::new()];
    let mut weight = 0;
    for statement in statements {
        // As it is sent: quoting makes a payload longer, at most twice, so that each still fits a frame.
        let weighs = serde_json::to_string(&statement).map_or(usize::MAX, |s| s.len() + 1);
        if weight + weighs > MAX_FRAME - 64 && weight > 0 {
            pages.push(Vec::new());
            weight = 0;
        }
        weight += weighs;
        pages.last_mut().expect("invariant: there is a page").push(statement);
    }
    let count = pages.len();
    let page = |(n, statements)| Answer::Page { statements, last: n + 1 == count };
    pages.into_iter().enumerate().map(page).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(length: usize) -> Envelope {
        Envelope {
            payload_type: "t".to_owned(),
            payload: "x".repeat(length),
            signer: NodeId::from_bytes([1; 32]),
            signature: "00".repeat(64),
        }
    }

    #[test]
    fn a_frame_reads_what_it_writes_and_is_bounded() {
        let hello =
            Hello { version: 1, mesh: MeshId::from_bytes([1; 32]), node: NodeId::from_bytes([2; 32]) };
        let frame = encode(&hello).unwrap();
        let (head, body) = frame.split_first_chunk::<4>().unwrap();
        assert_eq!(length(*head), Ok(body.len()));
        assert_eq!(decode(body), Ok(hello));
        assert_eq!(length([0, 1, 0, 1]), Err(FrameError::Long(65_537)));
        assert_eq!(length([255; 4]), Err(FrameError::Long(u32::MAX as usize)));
        assert!(matches!(encode(&envelope(MAX_FRAME)), Err(FrameError::Long(_))));
    }

    #[test]
    fn a_long_roster_is_cut_into_frames() {
        let all: Vec<_> = (0..300).map(|n| envelope(n * 40)).collect();
        let pages = pages(all.clone());
        assert!(pages.iter().all(|p| encode(p).is_ok()));
        let mut seen = Vec::new();
        for (n, page) in pages.iter().enumerate() {
            let Answer::Page { statements, last } = page else { panic!("{page:?}") };
            assert_eq!(*last, n + 1 == pages.len());
            seen.extend(statements.clone());
        }
        assert_eq!(seen, all);
        assert_eq!(super::pages(vec![]), [Answer::Page { statements: vec![], last: true }]);
    }

    #[test]
    fn a_refusal_of_a_later_version_is_read_as_one() {
        let answer = decode(br#"{"type":"refused","refusal":{"type":"too-late","why":1}}"#);
        assert_eq!(answer, Ok(Answer::Refused { refusal: JoinRefusal::Other }));
        let owns = Answer::Refused { refusal: JoinRefusal::Owns { open: 3 } };
        assert_eq!(decode(&encode(&owns).unwrap()[4..]), Ok(owns));
    }

    proptest! {
        #[test]
        fn reading_never_fails_badly(body in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
            for bytes in [&body[..], text.as_bytes()] {
                let _ = decode::<Hello>(bytes);
                let _ = decode::<Answer>(bytes);
                let _ = decode::<Envelope>(bytes);
            }
        }
    }
}
