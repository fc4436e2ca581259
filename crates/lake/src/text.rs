//! The readable part of evidence, for people and for full-text search.
//!
//! Keys, moduli and certificates written out in base64 or hexadecimal are nothing that people read or search for, fill
//! the room that text has, and make most of the words of an index: they are left out, marked by an ellipsis. Hashes
//! and fingerprints stay.
//!
//! At a hundred times the data nothing changes: the work follows distinct evidence, and each content has a bound.

use std::borrow::Cow;

use hinomi_model::{Evidence, EvidenceKind};

/// The most bytes of text kept for one content.
const MAX_TEXT_BYTES: usize = 4_096;

/// The most bytes one piece may give, so that a long page leaves room for the certificate beside it.
const MAX_PIECE_TEXT_BYTES: usize = 2_048;

/// The most bytes of one piece that are looked at.
const MAX_READ_BYTES: usize = 16 * 1_024;

/// From how many characters on a word of base64 is no name any more: a line of PEM has 64.
const MIN_BASE64_CHARS: usize = 60;

/// The longest hexadecimal number that may be a hash, in digits.
const MAX_HASH_DIGITS: usize = 128;

/// Shorter runs of printable characters between others are chance.
const MIN_RUN_CHARS: usize = 3;

/// What can be read of these pieces, one line each.
pub(crate) fn readable(evidence: &[Evidence]) -> String {
    let mut text = String::new();
    for piece in evidence.iter().filter(|piece| piece.kind != EvidenceKind::Favicon) {
        let room = MAX_PIECE_TEXT_BYTES.min(MAX_TEXT_BYTES.saturating_sub(text.len() + 1));
        let line = runs(&piece.bytes, room);
        if !line.is_empty() {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// The printable runs of these bytes, at most `room` bytes of them.
fn runs(bytes: &[u8], room: usize) -> String {
    let read = bytes.get(..MAX_READ_BYTES).unwrap_or(bytes);
    let lossy = String::from_utf8_lossy(read);
    let breaks = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    let mut line = String::new();
    for run in lossy.split(breaks).map(str::trim).filter(|run| run.chars().count() >= MIN_RUN_CHARS) {
        let run = &*without_blobs(run);
        if line.len() + run.len() + 1 > room {
            let fits = run.char_indices().map(|(at, _)| at).take_while(|at| line.len() + at < room).last();
            line.push_str(run.get(..fits.unwrap_or(0)).unwrap_or_default());
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(run);
    }
    line
}

/// The same without long words of base64 or hexadecimal digits.
fn without_blobs(run: &str) -> Cow<'_, str> {
    if run.len() < MIN_BASE64_CHARS || !run.split(ends_word).any(is_blob) {
        return Cow::Borrowed(run);
    }
    let mut rest = String::with_capacity(run.len());
    for part in run.split_inclusive(ends_word) {
        let word = part.trim_end_matches(ends_word);
        if is_blob(word) {
            rest.push('…');
            rest.push_str(part.get(word.len()..).unwrap_or_default());
        } else {
            rest.push_str(part);
        }
    }
    Cow::Owned(rest)
}

fn ends_word(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
}

fn is_blob(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.as_bytes().iter().any(kind);
    if word.len() < MIN_BASE64_CHARS {
        return false;
    }
    if word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return word.len() > MAX_HASH_DIGITS;
    }
    // Small and great letters and digits: a path or an address seldom has all three without any other sign.
    has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn binary_noise_goes_and_words_stay() {
        let pieces = [
            Evidence::new(EvidenceKind::Banner, b"SSH-2.0-OpenSSH_9.6\r\n".as_slice()),
            Evidence::new(EvidenceKind::Certificate, b"\x30\x82\x01\x0a\x0c\x09camera-42\x02\x01A\xff".as_slice()),
            Evidence::new(EvidenceKind::Favicon, b"secret picture".as_slice()),
            Evidence::new(EvidenceKind::Http, "<title>管理画面</title>".as_bytes()),
        ];
        assert_eq!(readable(&pieces), "SSH-2.0-OpenSSH_9.6\ncamera-42\n<title>管理画面</title>\n");
    }

    #[test]
    fn keys_written_out_go_and_fingerprints_stay() {
        let read = |text: &str| readable(&[Evidence::new(EvidenceKind::Banner, text)]);
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIMzbx4nQjWf2c3Yd0T3v5mG0pX6y1u8kq7s9w2e4r6t8";
        assert_eq!(read(&format!("<elem key=\"key\">{key}</elem> ssh")), "<elem key=\"key\">…</elem> ssh\n");
        let pem = "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ";
        assert_eq!(read(&format!("BEGIN\n{pem}\n{pem}\nMII=\nEND")), "BEGIN … … MII= END\n");
        let modulus = "c0ffee".repeat(40);
        assert_eq!(read(&format!("modulus {modulus}")), "modulus …\n");
        for kept in [&"ab".repeat(32), "https://a.example/x", &"wordswithoutanydigit".repeat(9), &"7".repeat(100)] {
            assert_eq!(read(kept), format!("{kept}\n"));
        }
    }

    proptest! {
        #[test]
        fn bounded_whatever_comes(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6000), 0..6)) {
            let pieces: Vec<_> = pieces.into_iter().map(|bytes| Evidence::new(EvidenceKind::Reply, bytes)).collect();
            let text = readable(&pieces);
            prop_assert!(text.len() <= MAX_TEXT_BYTES);
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
