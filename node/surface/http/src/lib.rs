//! The HTTP API of a node: REST, server-sent events and its OpenAPI document.
