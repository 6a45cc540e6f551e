//! PID 1 in the agent container.

fn main() {}
