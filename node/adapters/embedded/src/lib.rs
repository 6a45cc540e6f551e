//! Numbered durable log lines in append-only segment files.
