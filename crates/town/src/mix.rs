//! Choices that are pure functions of seed and address.
//!
//! [`spread32`] is the hash that both the program and the kernel compute, so it uses nothing but 32-bit
//! shifts, exclusive-or and multiplication. [`secret`] is for everything else: keys, serial numbers, firmware.

use std::net::Ipv4Addr;

use ring::digest;

/// First multiplier of [`spread32`].
pub(crate) const MULTIPLIER_1: u32 = 0x7feb_352d;
/// Second multiplier of [`spread32`].
pub(crate) const MULTIPLIER_2: u32 = 0x846c_a68b;

/// Spreads neighbours over all 32 bits; a bijection.
/// The constants are those found by Chris Wellons' "hash prospector" search for low bias (public domain).
pub(crate) const fn spread32(number: u32) -> u32 {
    let a = (number ^ (number >> 16)).wrapping_mul(MULTIPLIER_1);
    let b = (a ^ (a >> 15)).wrapping_mul(MULTIPLIER_2);
    b ^ (b >> 16)
}

/// The 32 bits of the seed that go into the address's hash.
pub(crate) fn key32(seed: u64) -> u32 {
    let digest = digest::digest(&digest::SHA256, &seed.to_be_bytes());
    number(digest.as_ref()) as u32
}

/// 32 bytes that belong to this address and purpose alone.
pub(crate) fn secret(seed: u64, address: Ipv4Addr, purpose: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"hinomi-town");
    context.update(&seed.to_be_bytes());
    context.update(&address.octets());
    context.update(purpose.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

/// The first eight bytes as a number.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal text; spaces are skipped. `None` when it is not hexadecimal.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    Some(pairs.map(|pair| pair.iter().fold(0u8, |sum, digit| (sum << 4) | *digit as u8)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_spread_evenly() {
        let mut buckets = [0u32; 16];
        for address in 0..65_536u32 {
            buckets[(spread32(0x7f4d_0000 + address) >> 28) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (3_800..4_400).contains(count)), "{buckets:?}");
    }

    #[test]
    fn hexadecimal_round_trips() {
        assert_eq!(unhex("00 ff7f"), Some(vec![0, 255, 127]));
        assert_eq!(unhex("0"), None);
        assert_eq!(hex(&[0, 255, 127]), "00ff7f");
    }
}
