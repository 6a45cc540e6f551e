//! The dashboard as files in the program: what a browser asks for and is answered.
//!
//! The site itself is `web/` (Svelte and TypeScript); `make dashboard` builds it into `dist/`, which is committed.
//! Knows file names, their kinds and the site's own paths; deliberately knows no HTTP and nothing of a node: the
//! site holds no data, it asks the API for all of it. Start reading at [`file()`].
#![deny(missing_docs)]

mod files;

pub use files::{CONTENT_SECURITY_POLICY, File, file};
