//! From reasons to a finding, or to none: see [`hinomi_model::cnc::fuse`], which holds the arithmetic because whoever
//! reads a stored finding later must be able to fade it.

pub use hinomi_model::cnc::fuse::{Contribution, Fused, MATERIAL, THRESHOLD, fuse};
