//! A node handle over HTTP: what the command line talks through.
