//! The engine's answers as the port's errors.

use bollard::errors::Error;
use ikigai_ports::PortError;

/// The status the engine answered with, if it answered at all.
pub fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What the engine said, without the client's words around it.
pub fn message(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// `error`, met while `doing` something to `subject`.
pub fn port(doing: &str, subject: &str, error: Error) -> PortError {
    match status(&error) {
        Some(404) => PortError::NotFound(subject.to_owned()),
        Some(400) => PortError::Refused(format!("the engine refused {doing} {subject}: {}", message(&error))),
        Some(409) => PortError::Conflict(format!("{doing} {subject}: {}", message(&error))),
        Some(_) => PortError::failed(format!("{doing} {subject}"), error),
        None if is_away(&error) => PortError::unavailable("the container engine", error),
        None => PortError::failed(format!("{doing} {subject}"), error),
    }
}

/// True if the engine could not be reached or went away while it answered.
pub fn is_away(error: &Error) -> bool {
    matches!(
        error,
        Error::HyperLegacyError { .. }
            | Error::HyperResponseError { .. }
            | Error::IOError { .. }
            | Error::RequestTimeoutError
            | Error::SocketNotFoundError(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16) -> PortError {
        port("start", "c1", Error::DockerResponseServerError { status_code, message: "no".into() })
    }

    #[test]
    fn each_answer_says_what_the_caller_can_do() {
        assert!(matches!(answer(404), PortError::NotFound(what) if what == "c1"));
        assert!(matches!(answer(400), PortError::Refused(why) if why.ends_with(": no")));
        assert!(matches!(answer(409), PortError::Conflict(_)));
        assert!(matches!(answer(500), PortError::Failed { .. }));
        let away = port("start", "c1", Error::RequestTimeoutError);
        assert!(matches!(away, PortError::Unavailable { .. }));
    }
}
