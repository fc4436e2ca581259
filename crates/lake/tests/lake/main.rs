//! The lake from outside: what a batch becomes, what survives, who else can read it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may fail loudly")]

mod anew;
mod crash;
mod export;
mod formats;
mod peers;
mod rebuild;
mod room;
mod round_trip;
mod support;
