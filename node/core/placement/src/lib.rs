//! Which node a task runs on, and why not the others.
