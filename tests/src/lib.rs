//! Tests that see the whole house.

pub mod manual;
pub mod netns;
pub mod parts;
