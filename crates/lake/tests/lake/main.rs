//! The lake from outside: what a batch becomes, what survives, who else can read it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may fail loudly")]

mod anew;
mod background;
mod changes;
mod compact;
mod crash;
mod export;
mod faults;
mod formats;
mod keep;
mod keep_beside;
mod kills;
mod notebooks;
mod object_store;
mod past;
mod peers;
mod places;
mod reach;
mod rebuild;
mod room;
mod round_trip;
mod servers;
mod support;
