//! Learns how known IPv6 addresses are made, and lists unknown ones by expected yield.
//!
//! Addresses are not spread at random: servers are numbered from 1, carry ports, words or IPv4 addresses in their last
//! digits, devices carry the number of their maker (RFC 7707; Foremski, Plonka and Berger, "Entropy/IP", 2016; Murdock
//! et al., "6Gen", 2017). [`Model`] is one way to say all of that: the chance of each hexadecimal digit after those
//! before it. Four kinds of memory are blended, each trusted the more the oftener it saw the same (Witten and Bell,
//! 1991):
//!
//! 1. what follows exactly these digits: dense networks and sequences, as 6Gen's clusters;
//! 2. in the last 64 bits: what follows these digits in any network: ::1, ::53, makers' numbers, `ff:fe`;
//! 3. at this place after the two digits before it, and 4. at this place at all: as the segments of Entropy/IP.
//!
//! A list of usual endings ([`USUAL`]) and, where known, IPv4 addresses stand in memory 2 with little weight, so that
//! even a single known address makes a list. A search from the likeliest beginning on ([`Model::guesses`]) then gives
//! addresses in the order of their chance, which is the order of expected hits for each packet, without those known and
//! only within the scope.
//!
//! Numbers of makers never seen are not guessed: 24 bits follow them, and one hit in millions of packets is no yield.

mod model;
mod search;

pub use model::Model;
pub use search::Guesses;

/// Endings that people like, best first: service ports as written and as numbers, hosts counted from 1, and words.
pub const USUAL: [u64; 48] = [
    0x1,
    0x2,
    0x3,
    0x53,
    0x80,
    0x443,
    0x10,
    0x5,
    0x4,
    0x25,
    0x22,
    0x100,
    0x11,
    0x20,
    0x6,
    0x7,
    0x8,
    0x9,
    0xa,
    0xb,
    0xc,
    0xd,
    0xe,
    0xf,
    0x12,
    0x21,
    0x30,
    0x35,
    0x50,
    0x1bb,
    0x16,
    0x8080,
    0x8443,
    0x110,
    0x143,
    0x993,
    0x123,
    0x161,
    0x200,
    0xfe,
    0xff,
    0x1_0001,
    0x1_0000_0000_0001,
    0xcafe,
    0xbeef,
    0xdead_beef,
    0xface,
    0xc0de,
];

#[cfg(test)]
mod tests;
