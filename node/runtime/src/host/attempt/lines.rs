//! agentd's frames as log lines, and what they tell besides.

use ikigai_ports::logs::{LogLine, Stream};
use ikigai_types::{Resumed, Timestamp};
use ikigai_wire::agent::{Frame, FrameBody};

/// A line of agentd's standard output: the frame it is, or `None` for what is not agentd's.
pub(super) fn frame(line: &str) -> Option<Frame> {
    serde_json::from_str(line).ok()
}

/// The log line of a frame, numbered as the frame is: a replay after a restart adds nothing twice.
pub(super) fn log_line(frame: &Frame) -> LogLine {
    let (stream, text) = match &frame.body {
        FrameBody::Out { t } => (Stream::Stdout, t.clone()),
        FrameBody::Err { t } => (Stream::Stderr, t.clone()),
        FrameBody::Note { t } => (Stream::System, t.clone()),
        FrameBody::Started => (Stream::System, "the agent was started".to_owned()),
        FrameBody::Session { id } => (Stream::System, format!("session {id}")),
        FrameBody::Resumed { how: Resumed::Warm } => {
            (Stream::System, "the agent goes on with the session of the attempt before (warm)".to_owned())
        }
        FrameBody::Resumed { how: Resumed::Cold } => (
            Stream::System,
            "the agent began anew, without the session of the attempt before (cold)".to_owned(),
        ),
        FrameBody::Checked { command, code, ms } => {
            (Stream::System, format!("`{command}` exited with {code} after {ms} ms"))
        }
        FrameBody::Ended { code, error: None } => (Stream::System, format!("the agent exited with {code}")),
        FrameBody::Ended { error: Some(error), .. } => (Stream::System, error.clone()),
    };
    let text = clipped(text);
    LogLine { n: frame.n, at: Timestamp(frame.at), stream, text }
}

/// agentd splits long lines; one that comes from elsewhere is cut at a character.
fn clipped(mut text: String) -> String {
    if text.len() > ikigai_ports::logs::MAX_LINE {
        let end = (0..=ikigai_ports::logs::MAX_LINE).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
