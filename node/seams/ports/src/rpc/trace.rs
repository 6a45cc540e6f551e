//! One id for everything that is done for one request, on however many nodes.

use std::fmt;
use std::future::Future;
use std::str::FromStr;

/// The id of a trace; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trace(u128);

tokio::task_local! {
    static CURRENT: Trace;
}

// === impl Trace ===

impl Trace {
    /// A trace of these bits; zero, which is no trace, becomes one.
    pub const fn of_bits(bits: u128) -> Self {
        Self(if bits == 0 { 1 } else { bits })
    }

    /// The trace that the present task works for, if it is known.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|t| *t).ok()
    }

    /// Does `work` for this trace: calls to peers within it carry it on.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// As the header `traceparent` of W3C Trace Context has it, told by the span `span`.
    pub fn header(self, span: u64) -> String {
        format!("00-{self}-{:016x}-01", span.max(1))
    }

    /// What such a header says. What is not one says nothing.
    pub fn of_header(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |s: &str, n| s.len() == n && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex(version, 2) || version == "ff" || !is_hex(span, 16) || !is_hex(trace, 32) {
            return None;
        }
        trace.parse().ok()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Trace {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        u128::from_str_radix(s, 16).ok().filter(|bits| *bits != 0).map(Self).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_was_put_in() {
        let trace = Trace::of_bits(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        let header = trace.header(0x00f0_67aa_0ba9_02b7);
        assert_eq!(header, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(Trace::of_header(&header), Some(trace));
        assert_eq!(Trace::of_header(&format!("01{}-new", &header[2..])), Some(trace), "newer versions");
        let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        for bad in ["", "00", "00-1-2-3", &header[..50], &header.to_uppercase(), &zero] {
            assert_eq!(Trace::of_header(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn work_knows_its_trace() {
        assert_eq!(Trace::current(), None);
        let trace = Trace::of_bits(7);
        assert_eq!(trace.scope(async { Trace::current() }).await, Some(trace));
        assert_eq!(Trace::current(), None);
    }
}
