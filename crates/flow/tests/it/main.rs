//! What the crate promises, over its real parts together.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

mod drill;
mod town;
