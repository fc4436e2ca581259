//! Need to know, tested from outside: rules against grants, and every question of a member against what single records
//! may be read.

mod adversary;
mod questions;
mod rules;
mod world;
