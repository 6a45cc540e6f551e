//! The Store port on sled, made durable by syncing its files.
