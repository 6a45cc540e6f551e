//! Numbered durable log lines in append-only segment files.
//!
//! Knows how lines become durable (a journal that all attempts share), where they rest (a file per attempt)
//! and how both are read again after a crash; deliberately knows nothing of who writes or reads them. Which
//! lines are new is decided by [`ikigai_ports::logs::admit()`]. Start reading at [`SegmentLogs`], then
//! `writer` (what one flush does), then `replay` (what a crash leaves).

mod attempt;
mod folder;
mod journal;
mod logs;
mod record;
mod replay;
mod shelf;
mod writer;

pub use logs::SegmentLogs;
pub use writer::Bounds;
