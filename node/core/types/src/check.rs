//! Checks of a result and the verdict on it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What the checks, run again from a clean checkout, say of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Verdict {
    /// Every declared check ran and passed.
    Verified,
    /// Nothing failed, but something that should have been checked was not.
    WithGaps,
    /// A check failed or could not run.
    Not,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "VERIFIED",
            Self::WithGaps => "WITH-GAPS",
            Self::Not => "NOT",
        })
    }
}

/// One check that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The command.
    pub command: String,
    /// Its exit code; 124 when it took too long.
    pub code: i32,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The last lines it printed.
    pub tail: Vec<String>,
}

/// The verdict on `checks` out of `declared`, and what is missing for VERIFIED.
pub fn judge(declared: &[String], checks: &[CheckResult]) -> (Verdict, Vec<String>) {
    if let Some(failed) = checks.iter().find(|c| c.code != 0) {
        let gap = format!("`{}` exited with {}", failed.command, failed.code);
        return (Verdict::Not, vec![gap]);
    }
    if declared.is_empty() {
        return (Verdict::WithGaps, vec!["no check is declared for this task".to_owned()]);
    }
    let ran = |command: &&String| checks.iter().any(|c| &c.command == *command);
    let missing: Vec<_> = declared.iter().filter(|c| !ran(c)).map(|c| format!("`{c}` did not run")).collect();
    if missing.is_empty() { (Verdict::Verified, missing) } else { (Verdict::Not, missing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(command: &str, code: i32) -> CheckResult {
        CheckResult { command: command.to_owned(), code, ms: 1, tail: Vec::new() }
    }

    #[test]
    fn a_check_that_did_not_run_is_never_verified() {
        let declared = ["a".to_owned(), "b".to_owned()];
        assert_eq!(judge(&declared, &[ran("a", 0), ran("b", 0)]).0, Verdict::Verified);
        assert_eq!(judge(&declared, &[ran("a", 0)]), (Verdict::Not, vec!["`b` did not run".to_owned()]));
        assert_eq!(judge(&declared, &[ran("a", 0), ran("b", 1)]).0, Verdict::Not);
        assert_eq!(judge(&[], &[]).0, Verdict::WithGaps);
    }
}
