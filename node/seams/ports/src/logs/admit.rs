//! Which lines of an append are new, and which are missing: decided for every backend of [`Logs`](super::Logs).

use super::{LogLine, MAX_APPEND, MAX_LINE, Stream};
use crate::{PortError, PortResult};

/// The lines of an append that are to be kept after line `last` (0 for none yet), gap lines included.
///
/// Lines at or below `last` are dropped. Where numbers are missing, a gap line with the first missing number
/// and the time of the line after it tells how many. A gap line that came in (from another node's log) stands
/// for its whole range and is cut to the part that is new.
///
/// # Errors
/// [`PortError::Refused`] for lines that break the rules of [`Logs`](super::Logs); nothing is to be kept then.
pub fn admit(last: u64, lines: Vec<LogLine>) -> PortResult<Vec<LogLine>> {
    check(&lines)?;
    let mut last = last;
    let mut kept = Vec::with_capacity(lines.len());
    for mut line in lines {
        let end = end_of(&line)?;
        if end <= last {
            continue;
        }
        if line.n > last + 1 {
            kept.push(gap(last + 1, line.n - 1, &line));
        } else if line.n <= last {
            // Only a gap line ends beyond its own number: what is left of it is new.
            line = gap(last + 1, end, &line);
        }
        last = end;
        kept.push(line);
    }
    Ok(kept)
}

/// The last number `line` stands for: its own, or the end of the range of a gap line.
pub fn covers(line: &LogLine) -> u64 {
    end_of(line).unwrap_or(line.n)
}

fn gap(from: u64, to: u64, before: &LogLine) -> LogLine {
    LogLine { n: from, at: before.at, stream: Stream::Gap, text: (to - from + 1).to_string() }
}

fn end_of(line: &LogLine) -> PortResult<u64> {
    if line.stream != Stream::Gap {
        return Ok(line.n);
    }
    let count = line.text.parse::<u64>().ok().filter(|count| *count > 0);
    let end = count.and_then(|count| line.n.checked_add(count - 1));
    end.ok_or_else(|| {
        PortError::Refused(format!("gap line {} does not say how many lines are missing", line.n))
    })
}

fn check(lines: &[LogLine]) -> PortResult<()> {
    let weight: usize = lines.iter().map(LogLine::weight).sum();
    if weight > MAX_APPEND {
        return Err(PortError::Refused(format!("an append has {weight} bytes; allowed are {MAX_APPEND}")));
    }
    let mut before = 0;
    for line in lines {
        if line.n <= before {
            return Err(PortError::Refused(format!(
                "line {} follows line {before}; numbers rise from 1",
                line.n
            )));
        }
        if line.text.len() > MAX_LINE {
            let length = line.text.len();
            return Err(PortError::Refused(format!(
                "line {} has {length} bytes; split it at {MAX_LINE}",
                line.n
            )));
        }
        before = end_of(line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::Timestamp;

    fn line(n: u64, text: &str) -> LogLine {
        LogLine { n, at: Timestamp(n), stream: Stream::Stdout, text: text.to_owned() }
    }

    fn lost(n: u64, count: u64) -> LogLine {
        LogLine { stream: Stream::Gap, ..line(n, &count.to_string()) }
    }

    fn admitted(last: u64, lines: Vec<LogLine>) -> Vec<(u64, String)> {
        let mark =
            |l: &LogLine| if l.stream == Stream::Gap { format!("gap {}", l.text) } else { l.text.clone() };
        admit(last, lines).unwrap().iter().map(|l| (l.n, mark(l))).collect()
    }

    fn pairs(of: &[(u64, &str)]) -> Vec<(u64, String)> {
        of.iter().map(|(n, text)| (*n, (*text).to_owned())).collect()
    }

    #[test]
    fn replayed_lines_are_dropped_and_missing_ones_named() {
        assert_eq!(admitted(0, vec![line(1, "a"), line(2, "b")]), pairs(&[(1, "a"), (2, "b")]));
        assert_eq!(admitted(2, vec![line(1, "a"), line(2, "b"), line(3, "c")]), pairs(&[(3, "c")]));
        assert_eq!(admitted(2, vec![line(5, "e")]), pairs(&[(3, "gap 2"), (5, "e")]));
        let holes = vec![line(1, "a"), line(3, "c"), line(9, "i")];
        assert_eq!(admitted(1, holes), pairs(&[(2, "gap 1"), (3, "c"), (4, "gap 5"), (9, "i")]));
        assert_eq!(admitted(9, vec![]), pairs(&[]));
    }

    #[test]
    fn gap_lines_that_come_in_stand_for_their_range() {
        assert_eq!(admitted(3, vec![lost(4, 6), line(10, "j")]), pairs(&[(4, "gap 6"), (10, "j")]));
        assert_eq!(admitted(5, vec![lost(4, 6), line(10, "j")]), pairs(&[(6, "gap 4"), (10, "j")]));
        assert_eq!(admitted(9, vec![lost(4, 6), line(10, "j")]), pairs(&[(10, "j")]));
        assert_eq!(admitted(1, vec![lost(4, 6)]), pairs(&[(2, "gap 2"), (4, "gap 6")]));
        assert_eq!(covers(&lost(4, 6)), 9);
        assert_eq!(covers(&line(4, "6")), 4);
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let long = "x".repeat(MAX_LINE + 1);
        let bad: [Vec<LogLine>; 8] = [
            vec![line(0, "")],
            vec![line(2, ""), line(2, "")],
            vec![line(2, ""), line(1, "")],
            vec![lost(1, 5), line(3, "")],
            vec![lost(1, 0)],
            vec![LogLine { text: "many".into(), ..lost(1, 1) }],
            vec![lost(2, u64::MAX)],
            vec![line(1, &long)],
        ];
        for lines in bad {
            assert!(matches!(admit(0, lines.clone()), Err(PortError::Refused(_))), "{lines:.3?}");
        }
        let heavy = (1..=129).map(|n| line(n, &long[1..])).collect();
        assert!(matches!(admit(0, heavy), Err(PortError::Refused(_))));
        assert_eq!(admit(u64::MAX, vec![line(u64::MAX, "")]).unwrap(), []);
        assert_eq!(admit(u64::MAX - 1, vec![line(u64::MAX, "")]).unwrap().len(), 1);
    }
}
