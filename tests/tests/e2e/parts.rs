//! What the tests run on: shared with the other tests of whole nodes.

pub use ikigai_tests::parts::*;
