//! The scope door: packets leave here and nowhere else.
//!
//! ```text
//!   scope.toml + signature --verify (trusted key)--> Authorised --Door::permit--> Permit --Door::connect--> Connection
//!                                                                     |
//!                                                          opt-out list, reserved ranges, exclusions, hours
//! ```
//!
//! A [`document`] is TOML whose bytes are signed with Ed25519 ([`signature`]). [`verify`] alone makes an
//! [`Authorised`], a [`Door`] is made of nothing else, and every socket of a survey is made by a door. So a packet
//! that nobody authorised is not an error to be caught but a value that cannot be made.

pub mod document;
pub mod door;
#[cfg(target_os = "linux")]
pub mod frames;
pub mod gate;
pub mod opt_out;
pub mod signature;
pub mod tally;

pub use document::{Document, DocumentError};
pub(crate) use door::Openness;
pub use door::{Connection, Datagrams, Door, DoorError, Permit, Refused};
#[cfg(target_os = "linux")]
pub use frames::{Batch, FrameDoor, FrameError};
pub use gate::Gate;
pub(crate) use gate::Permitted;
pub use opt_out::OptOut;
pub use signature::{Authorised, PrivateKey, PublicKey, Signed, Trust, VerifyError, Wanted, read_signed, sign, verify};
pub use tally::Tally;

#[cfg(test)]
pub(crate) mod tests;
