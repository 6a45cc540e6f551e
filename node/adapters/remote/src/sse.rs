//! Server-sent events from bytes, however they were cut.

use bytes::Bytes;

/// Longest event, in bytes; a longer one is an error and not a full memory.
const MAX_EVENT: usize = 1 << 20;

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Sse {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

/// Bytes that are not a whole event yet.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    rest: Vec<u8>,
    event: Sse,
}

/// An event is longer than [`MAX_EVENT`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Decoder {
    /// The events that `bytes` complete.
    pub(crate) fn feed(&mut self, bytes: &Bytes) -> Result<Vec<Sse>, TooLong> {
        self.rest.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            out.extend(self.line(line.trim_end_matches(['\r', '\n'])));
        }
        if self.rest.len() + self.event.data.len() > MAX_EVENT { Err(TooLong) } else { Ok(out) }
    }

    fn line(&mut self, line: &str) -> Option<Sse> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return Some(event).filter(|e| *e != Sse::default());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = value.to_owned(),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_events() {
        let text = ": hello\n\nid: 1.1\nevent: event\ndata: {\"a\":1}\n\nevent: caught-up\r\ndata: x\r\ndata: y\r\n\r\n: beat\n\n";
        let whole = Decoder::default().feed(&Bytes::from_static(text.as_bytes())).unwrap();
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0], Sse { name: "event".into(), id: Some("1.1".into()), data: "{\"a\":1}".into() });
        assert_eq!(whole[1].data, "x\ny");
        for cut in 0..text.len() {
            let mut decoder = Decoder::default();
            let (a, b) = text.as_bytes().split_at(cut);
            let mut got = decoder.feed(&Bytes::copy_from_slice(a)).unwrap();
            got.extend(decoder.feed(&Bytes::copy_from_slice(b)).unwrap());
            assert_eq!(got, whole, "cut at {cut}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut decoder = Decoder::default();
        let chunk = Bytes::from(vec![b'x'; 300_000]);
        assert!((0..4).any(|_| decoder.feed(&chunk) == Err(TooLong)));
    }
}
