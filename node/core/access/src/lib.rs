//! Who may do what: users, roles, what they show to come in, and the policy that decides.
//!
//! Knows names, roles, hashes and the policy's text; deliberately knows no clock, no file, no cookie and no page.
//! Secrets are made elsewhere and are not kept: what is held is their hash. Start reading at [`Policy`], then
//! [`Directory`]; [`Access`] is the small part that editors need.
#![deny(missing_docs)]

mod access;
mod action;

pub mod audit;
mod directory;
mod hash;
mod journeys;
mod policy;
mod principal;
mod redact;
mod role;

pub use access::{Access, Lives};
pub use action::Action;
pub use directory::{Change, Directory, Kind, Pass, Request, User, Wrong, linux, name};
pub use hash::Hash;
pub use journeys::Journeys;
pub use policy::{DEFAULT, Decision, Policy, PolicyError, SCHEMA};
pub use principal::{OWNER, Principal, Resource, Via};
pub use redact::redact;
pub use role::Role;
