//! Need to know, tested from outside: rules against grants, and every question of a member against what single records
//! may be read.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod adversary;
mod alerts;
mod notices;
mod objects;
mod questions;
mod rules;
mod world;
