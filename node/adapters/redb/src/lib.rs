//! The Store port on redb.
