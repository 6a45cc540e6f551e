//! An attempt that follows another: whether its agent goes on with the session the other had, and what it is told.
//!
//! The owner says which session would help; the node that runs the attempt says whether it has it. A session is the
//! agent CLI's own record of a conversation, so it is worth more than any summary, where it is still there.

use crate::attempt::{Attempt, Phase};
use crate::retry::Reason;
use crate::task::Task;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What an owner says to an attempt that follows another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Follow {
    /// Number of the attempt it follows.
    pub attempt: u32,
    /// What the agent is told behind its prompt when its session goes on; `None` when it is to begin anew.
    #[serde(default)]
    pub warm: Option<String>,
    /// What it is told when it begins anew.
    pub cold: String,
}

/// A session that a node has kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Number of the attempt that had it last.
    pub attempt: u32,
    /// What the CLI calls it.
    pub session: String,
}

/// Longest name of a session.
const NAME: usize = 128;

impl Follow {
    /// The session to go on with: the one of the attempt that is followed, and no older one, whose agent would not know
    /// what was done since.
    pub fn session(&self, kept: Option<&Kept>) -> Option<String> {
        let kept = kept.filter(|k| self.warm.is_some() && k.attempt == self.attempt)?;
        Some(kept.session.clone()).filter(|s| is_session(s))
    }
}

/// Whether `name` can be a session's: what an agent's CLI prints ends up among the arguments of the next one.
pub fn is_session(name: &str) -> bool {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(fit)
}

/// The attempt that the one numbered `number` follows: the newest before it whose agent ran.
pub fn followed(task: &Task, number: u32) -> Option<&Attempt> {
    let before = task.attempts.iter().rev().filter(|a| a.number() < number);
    before.filter(|a| a.running_at.is_some()).max_by_key(|a| a.number())
}

/// What the attempt numbered `number` is told of the one before it, which `said` this last; `None` for a first one.
pub fn follow(task: &Task, number: u32, said: &[String]) -> Option<Follow> {
    let before = followed(task, number)?;
    let of = before.number();
    let helps = before.phase == Phase::Ended && before.reason.is_none_or(Reason::keeps_session);
    let this = task.attempts.iter().find(|a| a.number() == number);
    let anew = this.is_none_or(|a| a.continues.is_none());
    let tree = if anew {
        "The folder was made anew from the project as it is now: nothing you changed before is in it."
    } else {
        "The folder was made anew from the commit named above."
    };
    let warm = format!("\nThis is the session of attempt {of}, so you know what you did. {tree}\n");
    Some(Follow { attempt: of, warm: helps.then_some(warm), cold: cold(before, said) })
}

/// For an agent that knows nothing of the attempt before: what it did last. Why it ended is in the prompt.
fn cold(before: &Attempt, said: &[String]) -> String {
    let mut text = format!("\nAttempt {} was another session, which you do not see.", before.number());
    if let Some(verified) = &before.verified {
        let _ = write!(text, " Its result was judged {}.", verified.verdict);
    }
    if said.is_empty() {
        text.push_str(" It left no word of what it did.\n");
        return text;
    }
    text.push_str(" The last it ran and said:\n");
    said.iter().for_each(|line| {
        let _ = writeln!(text, "    {line}");
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(warm: bool) -> Follow {
        Follow { attempt: 2, warm: warm.then(String::new), cold: String::new() }
    }

    fn kept(attempt: u32, session: &str) -> Kept {
        Kept { attempt, session: session.to_owned() }
    }

    #[test]
    fn a_session_goes_on_where_it_helps_and_is_the_last_one() {
        assert_eq!(follow(true).session(Some(&kept(2, "s-1"))).as_deref(), Some("s-1"));
        assert_eq!(follow(false).session(Some(&kept(2, "s-1"))), None, "the owner wants a new start");
        assert_eq!(follow(true).session(Some(&kept(1, "s-1"))), None, "another node ran an attempt since");
        assert_eq!(follow(true).session(None), None, "it is not here");
    }

    #[test]
    fn a_name_that_could_be_an_option_is_no_session() {
        for bad in ["", "-c", "--last", "a b", "a/b", "a\u{7}", "é", ".."] {
            assert_eq!(follow(true).session(Some(&kept(2, bad))), None, "{bad}");
        }
        assert!(!is_session(&"x".repeat(129)) && is_session("01a1fd8f-de68-7841-adf7-b89a402f60e6"));
    }
}
