//! Whole nodes as processes, with real containers, a real agent CLI, real forges and a real browser.
//!
//! A part a test needs and does not find is printed with the test's name; with `IKIGAI_REQUIRE_…=1`, as
//! `make test` sets it, that is a failure.

mod calls;
mod cost;
mod crash;
mod dashboard;
mod demo;
mod disk;
mod drain;
mod editor;
mod egress;
mod image;
mod join;
mod leftover;
mod limits;
mod line;
mod listeners;
mod manual;
mod mesh;
mod node;
mod notify;
mod oidc;
mod outlive;
mod parts;
mod people;
mod project;
mod provider;
mod reviews;
mod sandbox;
mod sessions;
mod terminal;
mod why;
