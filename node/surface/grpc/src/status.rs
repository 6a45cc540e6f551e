//! What went wrong, as a gRPC status: the code for everyone, the whole in its details.

use bytes::Bytes;
use ikigai_ports::PortError;
use ikigai_wire::api::{Code as Kind, Problem};
use ikigai_wire::rpc::{FaultKind, MAX_FAULT_TEXT, cut, encode};
use std::time::Duration;
use tonic::{Code, Status};

/// Longest message of a status; the whole text is in the details.
const MAX_MESSAGE: usize = 200;

/// A port's error.
pub(crate) fn of_error(error: &PortError) -> Status {
    let fault = error.to_fault();
    let code = match fault.kind {
        FaultKind::NotFound => Code::NotFound,
        FaultKind::Refused => Code::FailedPrecondition,
        FaultKind::Conflict => Code::Aborted,
        FaultKind::Unavailable => Code::Unavailable,
        FaultKind::Corrupt => Code::DataLoss,
        FaultKind::Unsupported => Code::Unimplemented,
        FaultKind::Failed => Code::Internal,
    };
    Status::with_details(code, cut(&fault.text, MAX_MESSAGE), Bytes::from(encode(&fault)))
}

/// A handle's problem.
pub(crate) fn of_problem(problem: Problem) -> Status {
    let code = match problem.code {
        Kind::Failed => Code::Internal,
        Kind::Usage => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Denied => Code::PermissionDenied,
        Kind::Conflict => Code::Aborted,
        Kind::Unreachable => Code::Unavailable,
        Kind::TimedOut => Code::DeadlineExceeded,
    };
    let problem = Problem {
        message: cut(&problem.message, MAX_FAULT_TEXT),
        hint: problem.hint.map(|h| cut(&h, MAX_FAULT_TEXT)),
        request_id: problem.request_id.map(|i| cut(&i, MAX_MESSAGE)),
        ..problem
    };
    Status::with_details(code, cut(&problem.message, MAX_MESSAGE), Bytes::from(encode(&problem)))
}

/// Too much at once; the same call may work later.
pub(crate) fn busy(what: &str, after: Duration) -> Status {
    of_error(&PortError::Unavailable { what: what.to_owned(), retry_after: Some(after), source: None })
}
