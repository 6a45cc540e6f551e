//! Tests that see the whole house.

pub mod manual;
