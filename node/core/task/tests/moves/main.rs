//! Work that moves: silent holders, replacements, what the next attempt begins from, and owners that are gone.

mod adopt;
mod claims;
mod disconnect;
mod patch;
mod preempt;
mod room;
mod typing;
mod used;
mod world;
