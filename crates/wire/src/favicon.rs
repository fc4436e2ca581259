//! Icons: the hash that search engines for devices agree on, and a plain one.
//!
//! The common hash is MurmurHash3 (x86, 32 bits, seed 0, by Austin Appleby) of the icon in base64 with a line feed
//! after every 76 characters and at the end, taken as a signed number. It exists because somebody once hashed what
//! Python's `base64.encodebytes` gave; everybody who wants to compare must do the same.

use std::borrow::Cow;

use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{SHA256, digest};

use crate::field::Field;
use crate::fields::Fields;

/// Bytes that fill one line of 76 characters.
const LINE_BYTES: usize = 57;

/// How pictures begin that browsers take for an icon.
const MARKS: &[&[u8]] =
    &[b"\0\0\x01\0", b"\x89PNG\r\n\x1a\n", b"GIF8", b"\xff\xd8\xff", b"RIFF", b"BM", b"<svg", b"<?xml"];

/// Whether bytes begin like a picture: a server that answers every path with a page has no icon.
pub fn is_image(bytes: &[u8]) -> bool {
    MARKS.iter().any(|mark| bytes.starts_with(mark))
}

/// Both hashes of an icon.
pub fn fields(icon: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(icon);
    if icon.is_empty() {
        return list.finish();
    }
    let sha256 = HEXLOWER.encode(digest(&SHA256, icon).as_ref());
    list.value("favicon.mmh3", Cow::Owned(hash(icon).to_string().into_bytes()), 0..icon.len());
    list.value("favicon.sha256", Cow::Owned(sha256.into_bytes()), 0..icon.len());
    list.finish()
}

/// The common hash of an icon.
pub fn hash(icon: &[u8]) -> i32 {
    let mut text = Vec::with_capacity(icon.len() / 3 * 4 + icon.len() / LINE_BYTES + 8);
    let mut line = [0_u8; 76];
    for part in icon.chunks(LINE_BYTES) {
        let length = BASE64.encode_len(part.len());
        if let Some(room) = line.get_mut(..length) {
            BASE64.encode_mut(part, room);
            text.extend_from_slice(room);
        }
        text.push(b'\n');
    }
    murmur3(&text).cast_signed()
}

/// MurmurHash3_x86_32 with seed 0.
fn murmur3(bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks::<4>();
    let mut hash = words.iter().fold(0_u32, |hash, word| {
        (hash ^ scramble(u32::from_le_bytes(*word))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    if !tail.is_empty() {
        hash ^= scramble(tail.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)));
    }
    // The length counts modulo 2^32 by the hash's own definition; evidence is far below.
    hash ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

const fn scramble(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur_agrees_with_published_vectors() {
        // Vectors for seed 0 as listed for MurmurHash3_x86_32 in many implementations.
        assert_eq!(murmur3(b""), 0);
        assert_eq!(murmur3(b"test"), 0xba6b_d213);
        assert_eq!(murmur3(b"Hello, world!"), 0xc036_3e43);
        assert_eq!(murmur3(b"The quick brown fox jumps over the lazy dog"), 0x2e4f_f723);
    }

    #[test]
    fn pages_are_no_icons() {
        assert!(is_image(b"\0\0\x01\0\x01\0\x10\x10") && is_image(b"\x89PNG\r\n\x1a\n...") && is_image(b"<svg xmlns"));
        for page in [&b"<html>404"[..], b"<!DOCTYPE html>", b"", b"not found", b"\0\0"] {
            assert!(!is_image(page), "{page:?}");
        }
    }

    #[test]
    fn lines_are_76_characters() {
        // 58 bytes: a full line and one of four characters, as encodebytes writes them.
        let text = format!("{}\n{}\n", "QUFB".repeat(19), "QQ==");
        assert_eq!(hash(&[b'A'; 58]), murmur3(text.as_bytes()).cast_signed());
    }
}
