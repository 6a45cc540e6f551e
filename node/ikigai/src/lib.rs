//! A node to embed: configuration, backends, builder.
