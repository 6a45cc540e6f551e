//! Who belongs to a mesh: signed statements, and what they amount to.
//!
//! Knows whose word counts; deliberately knows no signature (a [`Statement`] is made only from bytes whose
//! signature was found good), no clock, no disk and no wire. Start reading at [`roster`], which says what
//! holds, then `standing`, which finds out what counts, then [`invitation`] and [`join`].
#![deny(missing_docs)]

pub mod digest;
pub mod invitation;
pub mod join;
pub mod roster;
mod standing;
pub mod statement;
pub mod text;

pub use digest::{MeshId, StatementId};
pub use invitation::{Invitation, Invitations, Redeemed};
pub use join::{JoinRefusal, Joiner};
pub use roster::{Changes, Member, Roster};
pub use statement::{Address, Enrol, Flaw, Remove, Said, Statement};
