//! Codecs for hostile bytes.
//!
//! Everything that a device, a server or another tool's file says enters Hinomi here and nowhere else. A codec never
//! panics, never allocates more than its input and its named bound allow, and never drops anything silently: what it
//! cannot read is a [`Malformed`] that says what and where.
//!
//! A protocol is one module with the same parts: builders for the few read-only requests we send, a parser into plain
//! types, and `fields`, the named parts of a stored reply that identification rules match on. [`fields`] dispatches on
//! the kind of evidence; [`recognise`] names the protocol behind bytes that nobody asked for; [`mask`] blanks what
//! changes at every look, so that the same service gives the same evidence.

mod field;
mod malformed;
mod read;

pub use field::{Field, MAX_FIELD_BYTES, MAX_FIELDS};
pub use malformed::Malformed;
pub use read::Reader;
