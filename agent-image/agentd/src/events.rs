//! What can be learnt from an agent CLI's own event lines.

use ikigai_wire::agent::{EventFormat, FrameBody, Pointers};
use serde_json::Value;

/// A session id is at most this long and has no control characters.
const MAX_SESSION: usize = 256;

/// Reads one program's standard output.
#[derive(Debug)]
pub struct Reader {
    pointer: Option<String>,
    known: Option<String>,
}

impl Reader {
    /// For a program whose output has this format.
    pub fn new(format: EventFormat, pointers: &Pointers) -> Self {
        let pointer = (format == EventFormat::JsonLines).then(|| pointers.session.clone()).flatten();
        Self { pointer, known: None }
    }

    /// The frame that follows this line, if the line names a session that was not named before.
    pub fn learn(&mut self, line: &str) -> Option<FrameBody> {
        let pointer = self.pointer.as_deref()?;
        if !line.trim_start().starts_with('{') {
            return None;
        }
        let event: Value = serde_json::from_str(line).ok()?;
        let id = event.pointer(pointer)?.as_str()?;
        let fit = !id.is_empty() && id.len() <= MAX_SESSION && !id.chars().any(char::is_control);
        if !fit || self.known.as_deref() == Some(id) {
            return None;
        }
        self.known = Some(id.to_owned());
        Some(FrameBody::Session { id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(format: EventFormat) -> Reader {
        Reader::new(format, &Pointers { session: Some("/thread_id".into()), text: vec![] })
    }

    fn session(id: &str) -> Option<FrameBody> {
        Some(FrameBody::Session { id: id.into() })
    }

    #[test]
    fn a_session_is_told_once_and_again_when_it_changes() {
        let mut r = reader(EventFormat::JsonLines);
        assert_eq!(r.learn(r#"{"type":"thread.started","thread_id":"a"}"#), session("a"));
        assert_eq!(r.learn(r#"{"thread_id":"a"}"#), None);
        assert_eq!(r.learn(r#"  {"thread_id":"b"}"#), session("b"));
    }

    #[test]
    fn what_is_no_session_is_passed_over() {
        let mut r = reader(EventFormat::JsonLines);
        let long = format!(r#"{{"thread_id":"{}"}}"#, "x".repeat(257));
        for line in ["", "plain", "{", "[]", r#"{"thread_id":7}"#, r#"{"thread_id":""}"#, &long] {
            assert_eq!(r.learn(line), None, "{line}");
        }
        assert_eq!(r.learn("{\"thread_id\":\"a\\u0007\"}"), None);
        assert_eq!(reader(EventFormat::Lines).learn(r#"{"thread_id":"a"}"#), None);
    }
}
