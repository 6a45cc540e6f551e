//! Frames of the event stream, decided without a clock or a socket: `event`, `gap`, `caught-up`, `resync`.

use bytes::Bytes;
use ikigai_wire::api::{Event, Problem};
use serde_json::json;
use std::fmt;
use std::str::FromStr;

/// Longest epoch of a log, in hex digits.
const EPOCH: usize = 16;

/// `<log epoch>.<sequence>`. The epoch is the node's own word for its log, in hex; only whether two are the same
/// means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    /// Filled up with zero bytes.
    epoch: [u8; EPOCH],
    pub(crate) seq: u64,
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    name: &'static str,
    id: Option<String>,
    data: String,
}

/// What a reader has had so far.
#[derive(Debug)]
pub(crate) struct Frames {
    last: Option<Cursor>,
    goal: Option<Cursor>,
}

/// Where a stream begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// After this cursor, or at the beginning.
    After(Option<String>),
    /// What the reader has is of another log: it reads the snapshot again and goes on after this cursor.
    Resync(String),
}

// === impl Cursor ===

impl FromStr for Cursor {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        let (epoch, seq) = s.split_once('.').ok_or(())?;
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if !(1..=EPOCH).contains(&epoch.len()) || !epoch.bytes().all(is_hex) {
            return Err(());
        }
        if seq.is_empty() || !seq.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        let mut word = [0; EPOCH];
        word[..epoch.len()].copy_from_slice(epoch.as_bytes());
        Ok(Self { epoch: word, seq: seq.parse().map_err(|_| ())? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.epoch.iter().take_while(|b| **b != 0).map(|b| char::from(*b));
        write!(f, "{}.{}", epoch.collect::<String>(), self.seq)
    }
}

// === impl Frame ===

impl Frame {
    pub(crate) fn new(name: &'static str, id: Option<String>, data: String) -> Self {
        Self { name, id, data }
    }

    pub(crate) fn resync(cursor: &str) -> Self {
        Self::new("resync", Some(cursor.to_owned()), json!({ "cursor": cursor }).to_string())
    }

    pub(crate) fn problem(problem: &Problem) -> Self {
        Self::new("error", None, json!(problem).to_string())
    }

    /// The frame as it is sent; JSON has no raw newlines, so one data line is enough.
    pub(crate) fn bytes(&self) -> Bytes {
        let id = self.id.as_ref().map(|id| format!("id: {id}\n")).unwrap_or_default();
        Bytes::from(format!("{id}event: {}\ndata: {}\n\n", self.name, self.data))
    }
}

// === impl Frames ===

/// Where to begin for a reader that has everything up to `given`, when the log is at `now`.
pub(crate) fn start(given: Option<Cursor>, now: &str) -> Start {
    match (given, now.parse::<Cursor>()) {
        (Some(given), Ok(now)) if given.epoch != now.epoch || given.seq > now.seq => {
            Start::Resync(now.to_string())
        }
        (given, _) => Start::After(given.map(|c| c.to_string())),
    }
}

impl Frames {
    /// A reader that begins after `last`, caught up once it has had `goal`.
    pub(crate) fn new(last: Option<&str>, goal: &str) -> Self {
        Self { last: last.and_then(|c| c.parse().ok()), goal: goal.parse().ok() }
    }

    /// What to send before any event.
    pub(crate) fn opening(&mut self) -> Option<Frame> {
        let nothing = Cursor { epoch: [0; EPOCH], seq: 0 };
        let (last, goal) = (self.last.unwrap_or(nothing), self.goal?);
        if last >= goal || goal.seq == 0 { self.caught_up() } else { None }
    }

    /// What to send for the next event of the log.
    pub(crate) fn event(&mut self, event: &Event) -> Vec<Frame> {
        let mut out = Vec::new();
        if let Ok(cursor) = event.cursor.parse::<Cursor>() {
            out.extend(self.gap(cursor));
            self.last = Some(cursor);
        }
        out.push(Frame::new("event", Some(event.cursor.clone()), json!(event).to_string()));
        if self.goal.is_some() && self.last >= self.goal {
            out.extend(self.caught_up());
        }
        out
    }

    /// Sequences between the last event and this one that were not sent.
    fn gap(&self, next: Cursor) -> Option<Frame> {
        let last = self.last?;
        let missing = next.seq.checked_sub(last.seq + 1).filter(|n| *n > 0 && next.epoch == last.epoch)?;
        let data = json!({ "missing": missing, "after": last.to_string(), "before": next.to_string() });
        Some(Frame::new("gap", None, data.to_string()))
    }

    fn caught_up(&mut self) -> Option<Frame> {
        let goal = self.goal.take()?;
        Some(Frame::new("caught-up", None, json!({ "cursor": goal.to_string() }).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::{TaskId, Timestamp};

    fn event(cursor: &str) -> Event {
        Event {
            cursor: cursor.into(),
            at: Timestamp(0),
            task: TaskId::new("p.f.T001").unwrap(),
            attempt: None,
            epoch: None,
            what: "started".into(),
            state: "running".into(),
            text: "line\nbreak".into(),
        }
    }

    fn names(frames: &mut Frames, cursors: &[&str]) -> Vec<&'static str> {
        let opening = frames.opening().map(|f| f.name);
        opening
            .into_iter()
            .chain(cursors.iter().flat_map(|c| frames.event(&event(c))).map(|f| f.name))
            .collect()
    }

    #[test]
    fn caught_up_is_said_once_and_where_it_is_true() {
        assert_eq!(
            names(&mut Frames::new(None, "1.2"), &["1.1", "1.2", "1.3"]),
            ["event", "event", "caught-up", "event"]
        );
        assert_eq!(names(&mut Frames::new(Some("1.2"), "1.2"), &["1.3"]), ["caught-up", "event"]);
        assert_eq!(names(&mut Frames::new(None, "1.0"), &["1.1"]), ["caught-up", "event"]);
    }

    #[test]
    fn a_hole_is_shown_with_its_size() {
        let mut frames = Frames::new(Some("1.1"), "1.9");
        let out = frames.event(&event("1.5"));
        let said: serde_json::Value = serde_json::from_str(&out[0].data).unwrap();
        assert_eq!(said, json!({"after": "1.1", "before": "1.5", "missing": 3}));
        assert_eq!(names(&mut frames, &["1.6"]), ["event"]);
    }

    #[test]
    fn another_log_or_the_future_is_a_resync() {
        let at = |c: &str| c.parse::<Cursor>().ok();
        assert_eq!(start(None, "2.5"), Start::After(None));
        assert_eq!(start(at("2.5"), "2.5"), Start::After(Some("2.5".into())));
        assert_eq!(start(at("1.5"), "2.5"), Start::Resync("2.5".into()));
        assert_eq!(start(at("2.6"), "2.5"), Start::Resync("2.5".into()));
    }

    #[test]
    fn cursors_are_a_word_and_a_number_and_a_frame_is_one_data_line() {
        let ours = "0f3a90c1d2e4b587.12";
        assert_eq!(ours.parse::<Cursor>().unwrap().to_string(), ours, "as the node's log makes them");
        let long = "00000000000000001.2";
        for bad in ["", "1", "1.", ".1", "1.2.3", "+1.2", "a.b", "g.1", "A.1", long, "1.99999999999999999999"]
        {
            assert!(bad.parse::<Cursor>().is_err(), "{bad:?}");
        }
        let bytes = Frames::new(None, "1.9").event(&event("1.1"))[0].bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(
            text.starts_with("id: 1.1\nevent: event\ndata: {") && text.matches('\n').count() == 4,
            "{text}"
        );
    }
}
