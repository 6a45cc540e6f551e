//! Processes of the machine: which one is meant, and how it is told something.
//!
//! A number alone names no process: the kernel gives it again. With the time the process began it does.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fmt;
use std::fs;
use std::str::FromStr;

/// One process, told apart from any later one with its number, or from any after a restart of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub pid: i32,
    /// When it began, in the kernel's ticks since the machine was started.
    pub begun: u64,
    /// Which start of the machine that was.
    pub boot: String,
}

impl Identity {
    /// The process that has this number now.
    pub fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, begun: Stat::of(pid)?.begun, boot: boot()? })
    }

    /// True while that process is there and has not ended.
    pub fn is_alive(&self) -> bool {
        let same = |stat: Stat| stat.begun == self.begun && stat.state != 'Z' && stat.state != 'X';
        Stat::of(self.pid).is_some_and(same) && boot().is_some_and(|boot| boot == self.boot)
    }

    /// Sends `signal` to this process and to no other. Nothing happens when it has ended.
    pub fn send(&self, signal: Signal) {
        // The descriptor is taken first: what is checked after it is what it stands for.
        let Some(descriptor) = Pid::from_raw(self.pid).and_then(|p| pidfd_open(p, PidfdFlags::empty()).ok())
        else {
            return;
        };
        if self.is_alive() {
            let _ = pidfd_send_signal(descriptor, signal);
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pid, self.begun, self.boot)
    }
}

impl FromStr for Identity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split_whitespace();
        let mut word = || words.next().ok_or(());
        let pid = word()?.parse().map_err(drop)?;
        let begun = word()?.parse().map_err(drop)?;
        Ok(Self { pid, begun, boot: word()?.to_owned() })
    }
}

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    /// `R`, `S`, `T` when stopped, `Z` when ended and not waited for, …
    pub state: char,
    /// The process that made it.
    pub parent: i32,
    /// When it began.
    pub begun: u64,
}

impl Stat {
    /// Of the process that has this number now.
    pub fn of(pid: i32) -> Option<Self> {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name comes first, in brackets, and may hold anything.
    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let word = |n: usize| words.get(n).copied();
        Some(Self {
            state: word(0)?.chars().next()?,
            parent: word(1)?.parse().ok()?,
            begun: word(19)?.parse().ok()?,
        })
    }
}

/// Every process in the process namespace that `first` is in.
pub fn namespace_of(first: &Identity) -> Vec<Identity> {
    let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(wanted) = space(first.pid).filter(|_| first.is_alive()) else { return Vec::new() };
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let members = numbers.filter_map(Identity::of).filter(|p| space(p.pid).as_ref() == Some(&wanted));
    members.collect()
}

fn boot() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_hide_the_rest() {
        let rest = (4..22).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let stat = Stat::read(&format!("7 (a) b) c) T {rest} 99")).unwrap();
        assert_eq!((stat.state, stat.parent, stat.begun), ('T', 4, 99));
        assert!(Stat::read("7 (a").is_none());
    }

    #[test]
    fn a_number_given_again_is_another_process() {
        let me = Identity::of(std::process::id().cast_signed()).unwrap();
        assert!(me.is_alive());
        assert_eq!(me.to_string().parse(), Ok(me.clone()));
        assert!(!Identity { begun: me.begun + 1, ..me.clone() }.is_alive());
        assert!(!Identity { boot: "another".into(), ..me.clone() }.is_alive());
        // Were it sent, this test would not go on.
        Identity { begun: me.begun + 1, ..me }.send(Signal::KILL);
    }
}
