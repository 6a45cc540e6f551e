//! Port errors as they travel, and back.

use super::Verb;
use crate::PortError;
use ikigai_wire::rpc::{Fault, FaultKind, MAX_FAULT_TEXT, cut};
use std::time::Duration;

impl PortError {
    /// This error as it is told to a peer: the same variant, its texts cut, its causes in one line.
    pub fn to_fault(&self) -> Fault {
        let kind = match self {
            Self::NotFound(_) => FaultKind::NotFound,
            Self::Refused(_) => FaultKind::Refused,
            Self::Conflict(_) => FaultKind::Conflict,
            Self::Unavailable { .. } => FaultKind::Unavailable,
            Self::Corrupt(_) => FaultKind::Corrupt,
            Self::Unsupported(_) => FaultKind::Unsupported,
            Self::Failed { .. } => FaultKind::Failed,
        };
        let text = match self {
            Self::NotFound(text) | Self::Refused(text) | Self::Conflict(text) | Self::Corrupt(text) => text,
            Self::Unavailable { what, .. } | Self::Failed { what, .. } => what,
            Self::Unsupported(what) => *what,
        };
        let retry_after_ms = match self {
            Self::Unavailable { retry_after, .. } => {
                retry_after.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
            }
            _ => None,
        };
        let text = cut(text, MAX_FAULT_TEXT);
        let cause = self.chain().strip_prefix(&format!("{self}: ")).map(|c| cut(c, MAX_FAULT_TEXT));
        Fault { kind, text, cause, retry_after_ms }
    }

    /// What a peer told, when it was asked for `verb`.
    pub fn of_fault(fault: Fault, verb: Verb) -> Self {
        let text = cut(&fault.text, MAX_FAULT_TEXT);
        let cause = fault.cause.map(|c| cut(&c, MAX_FAULT_TEXT));
        match fault.kind {
            FaultKind::NotFound => Self::NotFound(text),
            FaultKind::Refused => Self::Refused(text),
            FaultKind::Conflict => Self::Conflict(text),
            FaultKind::Unavailable => Self::Unavailable {
                what: text,
                retry_after: fault.retry_after_ms.map(Duration::from_millis),
                source: cause.map(Into::into),
            },
            FaultKind::Corrupt => Self::Corrupt(text),
            FaultKind::Unsupported => Self::Unsupported(verb.name()),
            FaultKind::Failed => Self::failed(text, cause.unwrap_or_else(|| "no cause was told".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(error: &PortError) -> PortError {
        PortError::of_fault(error.to_fault(), Verb::Offer)
    }

    #[test]
    fn every_variant_comes_back_as_itself() {
        let retry_after = Some(Duration::from_millis(1500));
        let source = Some("the disk is full".into());
        let away = PortError::Unavailable { what: "the store".to_owned(), retry_after, source };
        let all = [
            PortError::NotFound("T001".to_owned()),
            PortError::Refused("no".to_owned()),
            PortError::Conflict("someone else was first".to_owned()),
            away,
            PortError::Corrupt("the pack".to_owned()),
            PortError::Unsupported("Offer"),
            PortError::failed("the merge", PortError::failed("git", "exit code 128")),
        ];
        for error in &all {
            let back = there_and_back(error);
            assert_eq!(std::mem::discriminant(&back), std::mem::discriminant(error));
            assert_eq!(back.chain(), error.chain());
        }
        let PortError::Unavailable { retry_after: after, .. } = there_and_back(&all[3]) else { panic!() };
        assert_eq!(after, retry_after);
    }

    #[test]
    fn texts_are_bounded_both_ways() {
        let long = "é".repeat(MAX_FAULT_TEXT);
        let fault = PortError::failed(long.clone(), long.clone()).to_fault();
        assert_eq!(fault.text.len(), MAX_FAULT_TEXT);
        assert_eq!(fault.cause.as_ref().map(String::len), Some(MAX_FAULT_TEXT));
        let told = Fault { text: long.clone(), cause: Some(long), ..fault };
        assert!(PortError::of_fault(told, Verb::Offer).chain().len() <= 2 * MAX_FAULT_TEXT + 2);
    }
}
