//! Nodes as processes, each in a network namespace of its own: stopped, killed and cut off while they work.
//!
//! What a test needs and does not find is printed with its name; with `IKIGAI_REQUIRE_SANDBOX=1`, as `make test` sets
//! it, that is a failure. `IKIGAI_SOAK=1` makes each test as long as it is wanted before a release.

mod arbiter;
mod chance;
mod cluster;
mod cut;
mod freeze;
mod ledger;
mod left;
mod outcome;
mod person;
mod project;
mod room;
mod storm;

use std::io::Write as _;

/// Whether the long form is wanted.
fn soak() -> bool {
    std::env::var("IKIGAI_SOAK").as_deref() == Ok("1")
}

/// Whether `test`, which is long and bends to whatever else the machine does, is wanted; says so when it is not.
fn wanted(test: &str) -> bool {
    if !soak() {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: it runs with IKIGAI_SOAK=1 (make soak)");
    }
    soak()
}
