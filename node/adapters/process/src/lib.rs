//! The Executor port on local processes held by bubblewrap.
