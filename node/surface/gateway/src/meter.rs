//! Reads an upstream's own count of tokens out of its answer, on the fly, whole or as events.

use ikigai_types::Tokens;
use serde::Deserialize;

/// Longest event, or answer that is not a stream, that is looked into.
const MAX: usize = 32 << 20;

/// What an answer said about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Its count; `None` when it did not say, or was cut off.
    pub(crate) tokens: Option<Tokens>,
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// It broke off because the provider's quota is used up.
    pub(crate) quota: bool,
}

/// Follows one answer; give it every chunk, in order, however it is cut.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    form: Form,
    reading: Reading,
    /// The line of an event stream, or the whole of a JSON answer.
    text: Vec<u8>,
    /// An event's data so far.
    data: Vec<u8>,
    /// The event has a name that none of interest has.
    dull: bool,
    /// More came than is kept: what it belongs to is not read.
    over: bool,
    after_cr: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    #[default]
    Unknown,
    Json,
    Events,
}

impl Meter {
    /// Takes the next chunk.
    pub(crate) fn feed(&mut self, mut chunk: &[u8]) {
        if self.form == Form::Unknown {
            chunk = chunk.trim_ascii_start();
            self.form = match chunk.first() {
                None => return,
                Some(b'{') => Form::Json,
                Some(_) => Form::Events,
            };
        }
        match self.form {
            Form::Json => self.keep(chunk),
            _ => self.events(chunk),
        }
    }

    /// The answer ended.
    pub(crate) fn finish(mut self) -> Reading {
        match self.form {
            Form::Json if !self.over => {
                if let Ok(answer) = serde_json::from_slice(&self.text) {
                    self.read(answer);
                }
            }
            // An event that is not ended by an empty line does not count, by the rules of event streams;
            // a provider that forgets the last one is read all the same.
            Form::Events => {
                self.line_ends();
                self.event_ends();
            }
            _ => {}
        }
        self.reading
    }

    fn events(&mut self, mut chunk: &[u8]) {
        if std::mem::take(&mut self.after_cr) {
            chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
        }
        while let Some(at) = chunk.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            self.keep(&chunk[..at]);
            self.line_ends();
            let end = chunk[at];
            chunk = &chunk[at + 1..];
            if end == b'\r' {
                self.after_cr = chunk.is_empty();
                chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
            }
        }
        self.keep(chunk);
    }

    fn keep(&mut self, part: &[u8]) {
        if self.text.len() + self.data.len() + part.len() > MAX {
            self.over = true;
            self.text.clear();
            self.data.clear();
        } else if !self.over {
            self.text.extend_from_slice(part);
        }
    }

    fn line_ends(&mut self) {
        let line = std::mem::take(&mut self.text);
        if line.is_empty() {
            // While over, an empty line may be the rest of one that was not kept: the event ends late, which
            // loses it, and it is lost already.
            self.event_ends();
        } else if let Some(name) = field(&line, b"event:") {
            self.dull = !INTERESTING.contains(&name);
        } else if let Some(data) = field(&line, b"data:").filter(|_| !self.dull && !self.over) {
            self.data.extend_from_slice(data);
            self.data.push(b'\n');
        }
    }

    fn event_ends(&mut self) {
        let data = std::mem::take(&mut self.data);
        let skip = std::mem::take(&mut self.dull) | std::mem::take(&mut self.over) || data.is_empty();
        let event = if skip { None } else { serde_json::from_slice::<Event>(&data).ok() };
        let Some(event) = event else { return };
        self.reading.quota |= event.code.as_deref().is_some_and(is_quota);
        if let Some(answer) = event.response {
            self.read(answer);
        }
    }

    fn read(&mut self, answer: Answer) {
        self.reading.quota |= answer.error.and_then(|e| e.code).as_deref().is_some_and(is_quota);
        self.reading.model = answer.model.or(self.reading.model.take());
        if let Some(usage) = answer.usage {
            let cached = usage.input_tokens_details.and_then(|d| d.cached_tokens).unwrap_or(0);
            self.reading.tokens =
                Some(Tokens { input: usage.input_tokens, cached, output: usage.output_tokens });
        }
    }
}

/// Events that may carry a count or a reason; all others are passed over unread.
const INTERESTING: [&[u8]; 4] = [b"response.completed", b"response.incomplete", b"response.failed", b"error"];

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

fn is_quota(code: &str) -> bool {
    matches!(code, "rate_limit_exceeded" | "insufficient_quota" | "usage_limit_reached")
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    response: Option<Answer>,
    #[serde(default)]
    code: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<Count>,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    code: Option<String>,
}

#[derive(Deserialize)]
struct Count {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(default)]
    input_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"r","model":"gpt-5.5","output":[{"a":1}],"usage":{"input_tokens":1200,"input_tokens_details":{"cached_tokens":200},"output_tokens":34,"total_tokens":1234}}}"#;

    fn read(text: &[u8], size: usize) -> Reading {
        let mut meter = Meter::default();
        text.chunks(size).for_each(|chunk| meter.feed(chunk));
        meter.finish()
    }

    fn counted() -> Reading {
        let tokens = Some(Tokens { input: 1200, cached: 200, output: 34 });
        Reading { tokens, model: Some("gpt-5.5".into()), quota: false }
    }

    #[test]
    fn the_count_is_found_however_the_stream_is_cut() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!(
                "event: response.created{end}data: {{\"type\":\"x\"}}{end}{end}: ping{end}{end}\
                 event: response.completed{end}data: {COMPLETED}{end}{end}"
            );
            for size in 1..text.len() {
                assert_eq!(read(text.as_bytes(), size), counted(), "{end:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn names_are_not_needed_nor_is_the_last_empty_line() {
        let data = COMPLETED.replace(",\"response\"", "\ndata: ,\"response\"");
        assert_eq!(read(format!("data: {data}").as_bytes(), 7), counted());
        assert_eq!(read(format!("data:{COMPLETED}\n\ndata: [DONE]\n\n").as_bytes(), 4096), counted());
    }

    #[test]
    fn an_answer_that_is_no_stream_is_read_whole() {
        let text = r#" {"model":"gpt-5.5","output":[],"usage":{"input_tokens":1200,"input_tokens_details":{"cached_tokens":200},"output_tokens":34}}"#;
        for size in [1, 3, 4096] {
            assert_eq!(read(text.as_bytes(), size), counted());
        }
        assert_eq!(read(&text.as_bytes()[..40], 9), Reading::default(), "cut off");
    }

    #[test]
    fn a_stream_that_does_not_say_is_unknown_and_never_zero() {
        assert_eq!(read(b"event: response.created\ndata: {}\n\n", 5).tokens, None);
        assert_eq!(read(b"", 1).tokens, None);
        let negative = COMPLETED.replace("1200", "-1");
        assert_eq!(read(format!("data: {negative}\n\n").as_bytes(), 50).tokens, None);
    }

    #[test]
    fn a_stream_that_breaks_off_at_the_quota_says_so() {
        let failed = r#"{"type":"response.failed","response":{"model":"gpt-5.5","usage":null,"error":{"code":"rate_limit_exceeded"}}}"#;
        assert!(read(format!("event: response.failed\ndata: {failed}\n\n").as_bytes(), 11).quota);
        assert!(read(br#"{"error":{"code":"insufficient_quota"}}"#, 11).quota);
        assert!(
            read(b"event: error\ndata: {\"type\":\"error\",\"code\":\"insufficient_quota\"}\n\n", 11).quota
        );
    }

    #[test]
    fn an_event_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let mut meter = Meter::default();
        meter.feed(b"data: ");
        for _ in 0..=(MAX >> 20) {
            meter.feed(&vec![b'x'; 1 << 20]);
        }
        assert!(meter.text.is_empty() && meter.data.is_empty());
        meter.feed(format!("\n\ndata: {COMPLETED}\n\n").as_bytes());
        assert_eq!(meter.finish(), counted());
    }
}
