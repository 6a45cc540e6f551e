//! The Executor port on the Docker engine.
