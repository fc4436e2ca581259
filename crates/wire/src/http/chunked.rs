//! The chunked transfer coding (RFC 9112 section 7.1), read only.
//!
//! Bounded by its input: every chunk takes at least three bytes of it. Extensions and trailers are skipped.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::malformed::Malformed;
use crate::text::get;

/// Longest chunk-size line, extensions included.
const MAX_SIZE_LINE_BYTES: usize = 4096;

/// A body, transfer coding removed.
#[derive(Clone, Debug)]
pub struct Body<'a> {
    /// The data; borrowed when it came in one piece.
    pub data: Cow<'a, [u8]>,
    /// Where that one piece stands in the coded body.
    pub span: Option<Range<usize>>,
    /// What stopped the decoding early. A body that was only cut off is no trouble.
    pub trouble: Option<Malformed>,
}

impl<'a> Body<'a> {
    /// A body without transfer coding.
    pub const fn plain(bytes: &'a [u8]) -> Self {
        Self { data: Cow::Borrowed(bytes), span: Some(0..bytes.len()), trouble: None }
    }
}

/// One step through a coded body.
enum Step {
    /// Data, as far as it is there.
    Data(Range<usize>),
    /// The last chunk.
    Last,
    /// The input ends here.
    Cut,
    /// Not a chunk, at this offset.
    Broken(usize),
}

/// Decodes what is there of `coded`, which stands at offset `base` of the evidence (for the reason's offset).
pub fn decode(coded: &[u8], base: usize) -> Body<'_> {
    let mut pieces = Pieces { coded, whole: Body { data: Cow::Borrowed(&[]), span: Some(0..0), trouble: None } };
    let mut at = 0;
    loop {
        match step(coded, at) {
            Step::Data(range) => {
                at = range.end;
                pieces.add(range);
            }
            Step::Last | Step::Cut => return pieces.whole,
            Step::Broken(offset) => {
                pieces.whole.trouble = Some(Malformed::Invalid { what: "chunk size", at: base + offset });
                // Devices that announce chunks and send none: what they sent is better than nothing.
                let nothing = pieces.whole.data.is_empty();
                let rest = if nothing { 0..coded.len() } else { offset..offset };
                pieces.add(rest);
                return pieces.whole;
            }
        }
    }
}

/// Whether the last chunk is there.
pub fn is_complete(coded: &[u8]) -> bool {
    let mut at = 0;
    loop {
        match step(coded, at) {
            Step::Data(range) => at = range.end,
            Step::Last | Step::Broken(_) => return true,
            Step::Cut => return false,
        }
    }
}

struct Pieces<'a> {
    coded: &'a [u8],
    whole: Body<'a>,
}

impl Pieces<'_> {
    fn add(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let bytes = get(self.coded, range.clone());
        if self.whole.data.is_empty() {
            self.whole.data = Cow::Borrowed(bytes);
            self.whole.span = Some(range);
        } else {
            self.whole.data.to_mut().extend_from_slice(bytes);
            self.whole.span = None;
        }
    }
}

fn step(coded: &[u8], at: usize) -> Step {
    let mut start = at;
    // The line end after a chunk's data; the first chunk has none before it.
    while at > 0 && start < at + 2 && matches!(coded.get(start), Some(b'\r' | b'\n')) {
        start += 1;
    }
    let rest = get(coded, start..coded.len());
    let Some(line_bytes) = memchr(b'\n', rest.get(..MAX_SIZE_LINE_BYTES).unwrap_or(rest)) else {
        return if rest.len() < MAX_SIZE_LINE_BYTES { Step::Cut } else { Step::Broken(start) };
    };
    let Some(size) = size(rest) else {
        return Step::Broken(start);
    };
    if size == 0 {
        return Step::Last;
    }
    let data = start + line_bytes + 1;
    Step::Data(data..data.saturating_add(size).min(coded.len()))
}

/// The leading hexadecimal number; none without digits or beyond 2^31.
fn size(line: &[u8]) -> Option<usize> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let text = std::str::from_utf8(line.get(..digits)?).ok()?;
    usize::from_str_radix(text, 16).ok().filter(|size| *size < 1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_piece_is_borrowed_and_several_are_joined() {
        let one = decode(b"5\r\nhello\r\n0\r\n\r\n", 0);
        assert!(matches!(one.data, Cow::Borrowed(b"hello")));
        assert_eq!(one.span, Some(3..8));
        let two = decode(b"5;x=y\r\nhello\n1\n!\r\n0\r\n\r\n", 0);
        assert_eq!(&*two.data, b"hello!");
        assert_eq!(two.span, None);
    }

    #[test]
    fn what_is_cut_gives_what_is_there() {
        let cut = decode(b"ff\r\nhello", 0);
        assert_eq!((&*cut.data, cut.trouble), (&b"hello"[..], None));
        assert!(!is_complete(b"ff\r\nhello"));
        assert!(!is_complete(b"5\r\nhello\r\n0"));
        assert!(is_complete(b"5\r\nhello\r\n0\r\n"));
    }

    #[test]
    fn a_broken_size_says_where_and_keeps_the_bytes() {
        let broken = decode(b"<html>\n", 100);
        assert_eq!(&*broken.data, b"<html>\n");
        assert_eq!(broken.trouble, Some(Malformed::Invalid { what: "chunk size", at: 100 }));
        assert_eq!(decode(b"fffffffffffffffffff\r\n", 0).trouble.map(|_| ()), Some(()));
    }

    proptest! {
        #[test]
        fn chunks_round_trip(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6)) {
            let mut coded = Vec::new();
            for piece in &pieces {
                coded.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                coded.extend_from_slice(piece);
                coded.extend_from_slice(b"\r\n");
            }
            coded.extend_from_slice(b"0\r\n\r\n");
            prop_assert!(is_complete(&coded));
            let body = decode(&coded, 0);
            prop_assert_eq!(&*body.data, pieces.concat());
            prop_assert_eq!(body.trouble, None);
        }
    }
}
