//! What a person wants to be told of, and when not.

use crate::Need;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// What is told, when, and through what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Of these needs.
    pub needs: BTreeSet<Need>,
    /// Of these also in quiet hours.
    pub urgent: BTreeSet<Need>,
    /// What begins within this after the first goes into the same message.
    pub window: Duration,
    /// When nobody wants to be told.
    pub quiet: Option<Quiet>,
    /// What still needs somebody this long after it was told is told once more.
    pub remind: Duration,
    /// Names of the ways a message takes; each gets every message.
    pub channels: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            needs: Need::ALL.into(),
            urgent: [Need::Budget, Need::NodeLost].into(),
            window: Duration::from_secs(30),
            quiet: None,
            remind: Duration::from_secs(24 * 3600),
            channels: Vec::new(),
        }
    }
}

/// Hours of every day, by the local clock, such as `22:00-07:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    from: u16,
    to: u16,
}

impl Quiet {
    /// How long it goes on from minute `minute` of the local day; `None` when that is not within it.
    pub fn rest(self, minute: u16) -> Option<Duration> {
        let since = (minute + DAY - self.from) % DAY;
        let length = (self.to + DAY - self.from) % DAY;
        (since < length).then(|| Duration::from_secs(u64::from(length - since) * 60))
    }
}

impl FromStr for Quiet {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || format!("`{s}` are no hours such as 22:00-07:00");
        let minute = |text: &str| {
            let (h, m) = text.trim().split_once(':')?;
            let digits = |t: &str| {
                (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<u16>().ok())
            };
            let (h, m) = (digits(h)??, digits(m)??);
            (h < 24 && m < 60).then_some(h * 60 + m)
        };
        let (from, to) = s.split_once('-').ok_or_else(wrong)?;
        match (minute(from), minute(to)) {
            (Some(from), Some(to)) if from != to => Ok(Self { from, to }),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_go_over_midnight() {
        let night: Quiet = "22:00-07:00".parse().unwrap();
        let minutes = |q: Quiet, h: u16, m: u16| q.rest(h * 60 + m).map(|d| d.as_secs() / 60);
        assert_eq!(minutes(night, 21, 59), None);
        assert_eq!(minutes(night, 22, 0), Some(540));
        assert_eq!(minutes(night, 0, 30), Some(390));
        assert_eq!(minutes(night, 6, 59), Some(1));
        assert_eq!(minutes(night, 7, 0), None);
        let noon: Quiet = "12:00-13:30".parse().unwrap();
        assert_eq!((minutes(noon, 12, 15), minutes(noon, 13, 30)), (Some(75), None));
        for bad in
            ["", "22:00", "22-7", "24:00-07:00", "22:60-07:00", "07:00-07:00", "-1:00-07:00", "+2:00-07:00"]
        {
            assert!(bad.parse::<Quiet>().is_err(), "{bad}");
        }
    }
}
