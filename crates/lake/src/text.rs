//! The readable part of evidence, for people and for full-text search.
//!
//! Keys, moduli and certificates written out in base64 or hexadecimal are nothing that people read or search for, fill
//! the room that text has, and make most of the words of an index: they are left out, marked by an ellipsis. Hashes
//! and fingerprints stay.
//!
//! At a hundred times the data nothing changes: the work follows distinct evidence, and each content has a bound.

use std::borrow::Cow;
use std::ops::Range;

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
    let mut line = String::with_capacity(room.min(lossy.len()));
    let mut rest = &*lossy;
    while !rest.is_empty() {
        let (run, after) = cut(rest);
        rest = after;
        let run = run.trim();
        if run.chars().nth(MIN_RUN_CHARS - 1).is_some() && !push(&mut line, &without_blobs(run), room) {
            break;
        }
    }
    line
}

/// Adds a run, or what fits of it; whether there may be room for another.
fn push(line: &mut String, run: &str, room: usize) -> bool {
    let blank = usize::from(!line.is_empty());
    if line.len() + run.len() + 1 > room {
        let fits = run.floor_char_boundary(room.saturating_sub(line.len() + blank));
        if let Some(part) = run.get(..fits).filter(|part| !part.is_empty()) {
            line.push_str(if blank == 1 { " " } else { "" });
            line.push_str(part);
        }
        return false;
    }
    if blank == 1 {
        line.push(' ');
    }
    line.push_str(run);
    true
}

/// The text up to the next character that nobody can read, and what stands behind that.
fn cut(text: &str) -> (&str, &str) {
    // First bytes of such characters in UTF-8: a search by bytes, for most text is plain.
    let may_break = |byte: &u8| byte.is_ascii_control() || matches!(byte, 0xc2 | 0xef);
    let mut from = 0;
    while let Some(found) = text.as_bytes().get(from..).and_then(|rest| rest.iter().position(may_break)) {
        let (run, rest) = text.split_at_checked(from + found).unwrap_or((text, ""));
        let Some(c) = rest.chars().next() else { break };
        if c.is_control() || c == char::REPLACEMENT_CHARACTER {
            return (run, rest.get(c.len_utf8()..).unwrap_or_default());
        }
        from += found + c.len_utf8();
    }
    (text, "")
}

/// The same without long words of base64 or hexadecimal digits.
fn without_blobs(run: &str) -> Cow<'_, str> {
    let Some(mut blob) = next_blob(run, 0) else { return Cow::Borrowed(run) };
    let mut kept = String::with_capacity(run.len());
    let mut from = 0;
    loop {
        kept.push_str(run.get(from..blob.start).unwrap_or_default());
        kept.push('…');
        from = blob.end;
        match next_blob(run, from) {
            Some(next) => blob = next,
            None => break,
        }
    }
    kept.push_str(run.get(from..).unwrap_or_default());
    Cow::Owned(kept)
}

/// Where the next such word stands. Looks at every sixtieth byte, for none of them lies between two of those.
fn next_blob(run: &str, from: usize) -> Option<Range<usize>> {
    let bytes = run.as_bytes();
    let mut at = from + MIN_BASE64_CHARS - 1;
    while let Some(byte) = bytes.get(at) {
        if in_word(byte) {
            let (before, after) = bytes.split_at_checked(at)?;
            let start = at - before.iter().rev().take_while(|byte| in_word(byte)).count();
            at += after.iter().take_while(|byte| in_word(byte)).count();
            if bytes.get(start..at).is_some_and(is_blob) {
                return Some(start..at);
            }
        }
        at += MIN_BASE64_CHARS;
    }
    None
}

const fn in_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

fn is_blob(word: &[u8]) -> bool {
    if word.len() < MIN_BASE64_CHARS {
        return false;
    }
    if word.iter().all(u8::is_ascii_hexdigit) {
        return word.len() > MAX_HASH_DIGITS;
    }
    // Small and great letters and digits: a path or an address seldom has all three without any other sign.
    let has = |kind: fn(&u8) -> bool| word.iter().any(kind);
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

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        let mut line = String::new();
        assert!(push(&mut line, "one", 8));
        assert!(!push(&mut line, "管理", 8));
        assert_eq!(line, "one 管");
        assert!(!push(&mut line, "理", 7), "a line that fills its room takes no blank more");
        assert_eq!(line, "one 管");
    }

    proptest! {
        #[test]
        fn cut_at_every_character_nobody_reads(text: String) {
            let mut rest = &*text;
            let mut parts = Vec::new();
            while !rest.is_empty() {
                let (run, after) = cut(rest);
                parts.push(run);
                rest = after;
            }
            let plain = text.split(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
            prop_assert_eq!(parts.concat(), plain.collect::<String>());
        }

        #[test]
        fn no_blob_is_overlooked(words in proptest::collection::vec("[ .a-zA-Z0-9]{0,80}", 0..6)) {
            let run = words.concat();
            let kept = without_blobs(&run);
            let left = kept.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_blob(word.as_bytes())).count();
            prop_assert_eq!(left, 0);
            let blobs = run.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_blob(word.as_bytes())).count();
            prop_assert_eq!(kept.matches('…').count(), blobs);
        }

        #[test]
        fn bounded_whatever_comes(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6000), 0..6)) {
            let pieces: Vec<_> = pieces.into_iter().map(|bytes| Evidence::new(EvidenceKind::Reply, bytes)).collect();
            let text = readable(&pieces);
            prop_assert!(text.len() <= MAX_TEXT_BYTES);
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
