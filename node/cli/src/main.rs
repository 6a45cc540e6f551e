//! The `ikigai` command.

fn main() {}
