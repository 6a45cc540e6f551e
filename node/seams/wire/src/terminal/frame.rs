//! Messages as bytes. Whatever is at the other end is not trusted: lengths are bounded before anything is kept.

use super::{ClientWord, FromClient, FromTerminal, MAX_MESSAGE, TerminalWord};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Body is a word in JSON.
const WORD: u8 = 0;
/// Body is output (its offset first, 8 bytes, big endian) or input.
const BYTES: u8 = 1;

/// A message that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a terminal's message cannot be read: {0}")]
pub struct Unreadable(&'static str);

fn word<T: Serialize>(word: &T) -> Vec<u8> {
    let mut bytes = vec![WORD];
    serde_json::to_writer(&mut bytes, word).expect("invariant: a word is always JSON");
    bytes
}

fn read_word<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|_| Unreadable("no such word"))
}

fn split(message: &[u8]) -> Result<(u8, &[u8]), Unreadable> {
    if message.len() > MAX_MESSAGE {
        return Err(Unreadable("it is too long"));
    }
    message.split_first().map(|(kind, body)| (*kind, body)).ok_or(Unreadable("it is empty"))
}

/// A message with its length before it, as a stream carries it.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("invariant: messages are short");
    [&length.to_be_bytes(), message].concat()
}

impl FromClient {
    /// Kind and body.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Word(w) => word(w),
            Self::Input(bytes) => [&[BYTES], &**bytes].concat(),
        }
    }

    /// Kind and body, with their length before them.
    pub fn frame(&self) -> Vec<u8> {
        framed(&self.encode())
    }

    /// Reads kind and body.
    ///
    /// # Errors
    /// [`Unreadable`] when they are no message of a client.
    pub fn decode(message: &[u8]) -> Result<Self, Unreadable> {
        match split(message)? {
            (WORD, body) => read_word::<ClientWord>(body).map(Self::Word),
            (BYTES, body) => Ok(Self::Input(body.to_vec())),
            _ => Err(Unreadable("no such kind")),
        }
    }
}

impl FromTerminal {
    /// Kind and body.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Word(w) => word(w),
            Self::Output { offset, bytes } => [&[BYTES], &offset.to_be_bytes()[..], bytes].concat(),
        }
    }

    /// Kind and body, with their length before them.
    pub fn frame(&self) -> Vec<u8> {
        framed(&self.encode())
    }

    /// Reads kind and body.
    ///
    /// # Errors
    /// [`Unreadable`] when they are no message of a terminal.
    pub fn decode(message: &[u8]) -> Result<Self, Unreadable> {
        match split(message)? {
            (WORD, body) => read_word::<TerminalWord>(body).map(Self::Word),
            (BYTES, body) => {
                let (offset, bytes) = body.split_first_chunk().ok_or(Unreadable("output without offset"))?;
                Ok(Self::Output { offset: u64::from_be_bytes(*offset), bytes: bytes.to_vec() })
            }
            _ => Err(Unreadable("no such kind")),
        }
    }
}

/// Takes messages out of the bytes of a stream.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    start: usize,
}

impl Reader {
    /// Takes in what came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > MAX_MESSAGE {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, kind and body; `None`: more bytes are needed.
    ///
    /// # Errors
    /// [`Unreadable`] when what comes next is longer than a message may be.
    pub fn message(&mut self) -> Result<Option<&[u8]>, Unreadable> {
        let Some((length, _)) = self.bytes[self.start..].split_first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_MESSAGE {
            return Err(Unreadable("it is too long"));
        }
        let body = self.start + 4;
        if self.bytes.len() < body + length {
            return Ok(None);
        }
        self.start = body + length;
        Ok(Some(&self.bytes[body..body + length]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Size, Want};
    use super::*;

    fn open() -> FromClient {
        FromClient::Word(ClientWord::Open {
            client: "c".into(),
            terminal: Some("t".into()),
            from: Some(7),
            size: Size { cols: 1, rows: 2 },
            want: Want::Take,
        })
    }

    #[test]
    fn messages_come_back_as_they_were_sent_however_the_stream_cuts_them() {
        let all = [open(), FromClient::Input(b"ls\r".to_vec()), FromClient::Input(Vec::new())];
        let stream: Vec<u8> = all.iter().flat_map(FromClient::frame).collect();
        for step in [1, 3, 1000] {
            let (mut reader, mut got) = (Reader::default(), Vec::new());
            for piece in stream.chunks(step) {
                reader.push(piece);
                while let Some(message) = reader.message().unwrap() {
                    got.push(FromClient::decode(message).unwrap());
                }
            }
            assert_eq!(got, all, "{step}");
        }
    }

    #[test]
    fn output_keeps_its_offset() {
        let output = FromTerminal::Output { offset: 1 << 40, bytes: vec![0, 255] };
        assert_eq!(FromTerminal::decode(&output.encode()), Ok(output));
        let word = FromTerminal::Word(TerminalWord::Exited { code: 3 });
        assert_eq!(word.encode(), b"\0{\"say\":\"exited\",\"code\":3}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in [&b""[..], b"\x02", b"\0", b"\0{}", b"\0{\"say\":\"dance\"}", b"\x01abc"] {
            assert!(FromTerminal::decode(bad).is_err(), "{bad:?}");
        }
        assert!(FromClient::decode(&vec![1; MAX_MESSAGE + 1]).is_err());
        let mut reader = Reader::default();
        reader.push(&u32::MAX.to_be_bytes());
        assert!(reader.message().is_err());
    }

    #[test]
    fn a_page_may_leave_out_what_has_a_default() {
        let word = FromClient::decode(b"\0{\"say\":\"open\"}").unwrap();
        let FromClient::Word(ClientWord::Open { from, want, size, .. }) = word else { panic!("{word:?}") };
        assert_eq!((from, want, size), (None, Want::Look, Size::default()));
    }
}
