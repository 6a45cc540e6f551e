//! The life of a task, its leases and attempts, as a deterministic machine.
