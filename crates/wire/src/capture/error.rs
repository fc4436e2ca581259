//! Why a capture could not be read.

use std::io;

use super::{MAX_FRAME_BYTES, MAX_INTERFACES};

/// A refusal; `at` is the offset in the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The system could not read.
    #[error("could not read on at byte {at}: {source}")]
    Read {
        /// Where.
        at: u64,
        /// The system's words.
        source: io::Error,
    },
    /// Packed.
    #[error("this is packed with gzip: unpack it first (gzip -d FILE)")]
    Gzip,
    /// Something else.
    #[error("this is neither pcap nor pcapng: it begins with {0:02x?}")]
    NotACapture([u8; 4]),
    /// The file was cut off.
    #[error("the file ends at byte {at}, within {what}")]
    Truncated {
        /// What is missing.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// A length or a number that cannot be.
    #[error("at byte {at}: {what} contradicts the rest of the file")]
    Invalid {
        /// What.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// More than [`MAX_FRAME_BYTES`].
    #[error("at byte {at}: a frame of {told} bytes; we read at most {MAX_FRAME_BYTES}")]
    FrameTooLarge {
        /// What the file says.
        told: u32,
        /// Where.
        at: u64,
    },
    /// More than [`MAX_INTERFACES`].
    #[error("at byte {at}: more interfaces than the {MAX_INTERFACES} we read")]
    TooManyInterfaces {
        /// Where.
        at: u64,
    },
}
