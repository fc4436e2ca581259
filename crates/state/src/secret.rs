//! Random secrets, and what is kept of them.
//!
//! A secret of 256 random bits cannot be guessed, so a plain SHA-256 of it may be kept and looked up (NIST SP 800-63B,
//! section 5.1.2.2, asks for slow hashes of what people make up).

use std::fmt::Write;

use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::StateError;

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Bytes of a name that need not be secret, and must not be met twice.
const ID_BYTES: usize = 8;

/// 256 random bits, in 64 hexadecimal digits.
///
/// # Errors
/// When the system gives no randomness.
pub fn secret() -> Result<String, StateError> {
    random::<SECRET_BYTES>()
}

/// 64 random bits, in 16 hexadecimal digits.
pub(crate) fn id() -> Result<String, StateError> {
    random::<ID_BYTES>()
}

/// So many random bytes, in hexadecimal digits.
pub(crate) fn random<const N: usize>() -> Result<String, StateError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| StateError::refused("the system gives no randomness"))?;
    Ok(hex(&bytes))
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> String {
    hex(digest(&SHA256, secret.as_bytes()).as_ref())
}

/// A sign that only who has the key can make of this text.
pub fn sign(key: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hex(hmac::sign(&key, text.as_bytes()).as_ref())
}

/// Whether two texts are the same, without telling by the time where they differ.
pub fn same(left: &str, right: &str) -> bool {
    // Hashes are compared: what their order tells says nothing of the texts.
    digest(&SHA256, left.as_bytes()).as_ref() == digest(&SHA256, right.as_bytes()).as_ref()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_hashes_are_the_known_ones() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!((one.len(), id().unwrap().len()), (64, 16));
        assert_ne!(one, other);
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "FIPS 180-2, B.1");
        assert!(same("a", "a") && !same("a", "b") && sign("a", "b") != sign("b", "b"));
    }
}
