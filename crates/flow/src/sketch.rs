//! Summaries that are small, bounded and add up: what the state of a server is made of.
//!
//! | sketch | answers | merge |
//! |---|---|---|
//! | [`Distinct`] | how many different | associative, commutative, idempotent |
//! | [`KSmallest`] | how many different, how many in common | associative, commutative, idempotent |
//! | [`HourMap`] | in which hours of the week | associative, commutative, idempotent |
//! | [`LogHistogram`] | quantiles of sizes, gaps, durations | associative, commutative; adds, so not idempotent |
//! | [`Contributions`] | sums of what several sources told | idempotent: keyed by epoch, partition, source |
//!
//! All are computed in whole numbers or in an order that is fixed, so that one node and many give equal bytes.

pub mod contributions;
pub mod distinct;
pub mod histogram;
pub mod hours;
pub mod k_smallest;

pub use contributions::Contributions;
pub use distinct::Distinct;
pub use histogram::LogHistogram;
pub use hours::HourMap;
pub use k_smallest::KSmallest;

/// A summary that adds up.
pub trait Merge {
    /// Takes in what another summary of the same kind says.
    fn merge(&mut self, other: &Self);
}

/// Spreads a number over 64 bits (the finaliser of `SplitMix64`): for what is not a keyed hash already.
pub(crate) const fn spread(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
