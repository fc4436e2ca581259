//! What both sides agree on, our half of the key exchange, and the reply that holds the host key.

use super::kexinit::{HOST_KEYS, KEX, KexInit};
use super::packet::{encode, read_string, string};
use super::values::{P256_BASE, P384_BASE, P521_BASE, SQUARE_1024, SQUARE_2048, X25519_BASE};
use crate::{Malformed, Reader};

/// SSH_MSG_KEXDH_INIT and SSH_MSG_KEX_ECDH_INIT share a number, their replies too.
const EXCHANGE_INIT: u8 = 30;
const EXCHANGE_REPLY: u8 = 31;

/// A kind of key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KexMethod {
    /// RFC 8731.
    Curve25519,
    /// RFC 5656 on NIST P-256.
    NistP256,
    /// RFC 5656 on NIST P-384.
    NistP384,
    /// RFC 5656 on NIST P-521.
    NistP521,
    /// MODP group of 1024 bits (RFC 4253 section 8.1).
    Group1,
    /// MODP group of 2048 bits or more (RFC 4253 section 8.2, RFC 8268).
    Group14OrLarger,
}

impl KexMethod {
    fn named(name: &str) -> Self {
        match name {
            "curve25519-sha256" | "curve25519-sha256@libssh.org" => Self::Curve25519,
            "ecdh-sha2-nistp256" => Self::NistP256,
            "ecdh-sha2-nistp384" => Self::NistP384,
            "ecdh-sha2-nistp521" => Self::NistP521,
            "diffie-hellman-group1-sha1" => Self::Group1,
            _ => Self::Group14OrLarger,
        }
    }

    fn public_value(self) -> &'static [u8] {
        match self {
            Self::Curve25519 => &X25519_BASE,
            Self::NistP256 => &P256_BASE,
            Self::NistP384 => &P384_BASE,
            Self::NistP521 => &P521_BASE,
            Self::Group1 => &SQUARE_1024,
            Self::Group14OrLarger => &SQUARE_2048,
        }
    }
}

/// What client and server agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The kind of key exchange.
    pub method: KexMethod,
    /// The name of the key exchange.
    pub kex: &'static str,
    /// The host key algorithm the reply will use.
    pub host_key: &'static str,
}

/// What our offer and this server's lead to (RFC 4253 section 7.1): the first of ours that the server has too. `None`
/// when there is no common ground.
pub fn negotiate(server: &KexInit<'_>) -> Option<Negotiated> {
    let kex = KEX.into_iter().find(|name| server.kex.contains(name))?;
    let host_key = HOST_KEYS.into_iter().find(|name| server.host_keys.contains(name))?;
    Some(Negotiated { method: KexMethod::named(kex), kex, host_key })
}

/// Our half of the exchange as a packet. The values are constants: see `values.rs`.
pub fn exchange_packet(method: KexMethod) -> Vec<u8> {
    // The squares begin with a zero bit, so as `mpint` and as `string` they read alike.
    encode(&[&[EXCHANGE_INIT], string(method.public_value()).as_slice()].concat())
}

/// The host key blob of a reply's payload.
///
/// # Errors
/// When the bytes are cut or are another message: a server may also send ignore (2), debug (4) or disconnect (1).
pub fn parse_exchange_reply(payload: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(payload);
    if reader.u8("SSH exchange reply")? != EXCHANGE_REPLY {
        return Err(Malformed::Invalid { what: "SSH exchange reply", at: 0 });
    }
    let host_key = read_string(&mut reader, "SSH host key")?;
    read_string(&mut reader, "SSH server value")?;
    read_string(&mut reader, "SSH signature")?;
    Ok(host_key)
}
