//! What the crate promises, over its real parts together.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

mod drill;
#[cfg(test)]
mod town;
