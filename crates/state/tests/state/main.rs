//! One suite, on SQLite and on PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests may fail loudly"
)]

mod account_mail;
mod alerts;
mod claims;
mod cluster;
mod deeds;
mod ledger;
mod members;
mod notices;
mod objects;
mod organisations;
mod people;
mod postgres;
mod suite;
