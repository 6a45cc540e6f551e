//! Spec-Kit tasks.md text to a task graph, and a ticked box back to one changed byte.
//!
//! Knows the grammar of `specs/NNN-*/tasks.md`, the ways real files bend it, and the scheduling rules of
//! Spec-Kit's `implement`. Deliberately knows nothing of files, clocks, networks or hashes: text comes in,
//! values and text go out. It never runs what it reads: everything in a task file is untrusted.
//!
//! Start reading at [`parse`], then [`Graph::build`]; [`tick`] and [`append_task`] write.

#![deny(missing_docs)]

mod append;
mod asks;
mod assemble;
mod deps;
mod document;
mod error;
mod feature;
mod grammar;
mod graph;
mod heading;
mod id;
mod lines;
mod marker;
mod mention;
mod order;
mod paths;
mod reader;
mod tick;

pub use append::{AppendError, AppendOptions, Appended, append_task};
pub use asks::{Ask, AskKind, asks};
pub use assemble::parse;
pub use document::{
    Check, Dependency, DependencySource, Detail, Document, Parsed, PathClaim, PathRole, Phase, PhaseKind,
    Target, Task, TaskIdx,
};
pub use error::{Error, Place, Problem, Warning};
pub use feature::{
    FeatureError, feature_name, feature_words, fit as fit_feature_name, next_feature_number, short_name,
};
pub use graph::{Edge, EdgeReason, Graph};
pub use id::TaskId;
pub use tick::{TickError, tick, untick};
