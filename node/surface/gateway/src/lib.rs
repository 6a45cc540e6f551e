//! The only way out of an agent's container: metered, logged, denied by default.
