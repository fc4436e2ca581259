//! SSH up to the host key: identification string, key exchange offer, the exchange's reply.
//!
//! Follows RFC 4253 (sections 4.2, 6, 7, 8), RFC 5656 section 4 (elliptic curves), RFC 8731 (curve25519). The handshake
//! stops at the server's reply, which carries its host key: nothing is encrypted, no user name is ever sent.
//!
//! ```text
//!   read_identification -> client_identification -> kexinit_packet
//!   next_packet -> KexInit::parse -> negotiate -> exchange_packet -> next_packet
//!   -> parse_exchange_reply -> host key blob
//! ```
//!
//! Evidence of kind `ssh-kex` is the payload of the server's KEXINIT ([`kex_fields`], [`mask`]); of kind
//! `ssh-host-key` the blob ([`host_key_fields`]). The identification string is evidence of kind `banner`.

mod exchange;
mod host_key;
mod identification;
mod kexinit;
mod md5;
mod packet;
mod values;

pub use exchange::{KexMethod, Negotiated, exchange_packet, negotiate, parse_exchange_reply};
pub use host_key::{fingerprint, host_key_fields};
pub use identification::{Identification, client_identification, read_identification};
pub use kexinit::{KexInit, NameList, kex_fields, kexinit_packet, mask};
pub use packet::{MAX_PACKET_BYTES, Packet, disconnect_packet, next_packet};

#[cfg(test)]
mod tests;
