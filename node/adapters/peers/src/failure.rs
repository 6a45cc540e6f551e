//! What a failed call means to who asked: what the peer said, or that it could not be asked.

use ikigai_ports::PortError;
use ikigai_ports::rpc::Verb;
use ikigai_types::NodeId;
use ikigai_wire::api::{Code as Kind, Problem};
use ikigai_wire::rpc::{Fault, MAX_FAULT_TEXT, cut, decode};
use std::time::Duration;
use tonic::{Code, Status};

/// A call that brought no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) node: NodeId,
    pub(crate) verb: Verb,
    pub(crate) why: Why,
}

/// Why.
#[derive(Debug)]
pub(crate) enum Why {
    /// The peer, or the way to it, said so.
    Status(Box<Status>),
    /// It took longer than this.
    Late(Duration),
    /// It was not sent: it has this many bytes.
    TooLarge(usize),
    /// The answer makes no sense.
    Unreadable(String),
}

/// A connection that broke under a call.
pub(crate) fn broken(error: &hyper::Error) -> Status {
    let cause = std::error::Error::source(error).map(|c| format!(": {c}")).unwrap_or_default();
    Status::unavailable(format!("{error}{cause}"))
}

/// A connection that did not come to be.
pub(crate) fn unopened(error: &PortError) -> Status {
    Status::unavailable(error.chain())
}

fn too_large(verb: Verb, size: usize) -> String {
    format!("{} of {size} bytes is too large; {} may go to a node", verb.name(), verb.request_limit())
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let Failure { node, verb, why } = failure;
        let name = format!("node {}", node.short());
        let status = match why {
            Why::Late(after) => {
                let cause = format!("it did not answer {} within {} s", verb.name(), after.as_secs());
                return Self::unavailable(name, cause);
            }
            Why::TooLarge(size) => return Self::Refused(too_large(verb, size)),
            Why::Unreadable(what) => return Self::failed(format!("reading what {name} answered"), what),
            Why::Status(status) => status,
        };
        if let Ok(fault) = decode::<Fault>(status.details()) {
            return Self::of_fault(fault, verb);
        }
        let text = cut(status.message(), MAX_FAULT_TEXT);
        match status.code() {
            Code::Unimplemented => Self::Unsupported(verb.name()),
            Code::OutOfRange | Code::InvalidArgument => Self::Refused(text),
            _ => Self::unavailable(name, text),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let Failure { node, verb, why } = failure;
        let name = format!("node {}", node.short());
        let late =
            |text: String| Self::new(Kind::TimedOut, text, "it may still be done; look with: ikigai task ls");
        let status = match why {
            Why::Late(after) => {
                return late(format!("{name} did not answer within {} s", after.as_secs()));
            }
            Why::TooLarge(size) => return Self::plain(Kind::Usage, too_large(verb, size)),
            Why::Unreadable(what) => {
                let text = format!("the answer of {name} cannot be read: {what}");
                return Self::new(
                    Kind::Failed,
                    text,
                    "are all nodes of the same version? run: ikigai node ls",
                );
            }
            Why::Status(status) => status,
        };
        if let Ok(problem) = decode::<Self>(status.details()) {
            return problem;
        }
        let text = cut(status.message(), MAX_FAULT_TEXT);
        match status.code() {
            Code::Unimplemented => {
                let text = format!("{name} runs a version that does not know {}", verb.name());
                Self::new(Kind::Failed, text, "bring it to the version of this node")
            }
            Code::OutOfRange | Code::InvalidArgument => Self::plain(Kind::Usage, text),
            Code::DeadlineExceeded => late(format!("{name} did not answer in time")),
            _ => {
                let text = format!("{name} cannot be reached: {text}");
                Self::new(Kind::Unreachable, text, "run: ikigai node ls")
            }
        }
    }
}
