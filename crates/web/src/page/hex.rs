//! Bytes as people look at them: offset, hexadecimal, characters, some of them marked.

use std::ops::Range;

/// Bytes on one line.
pub(crate) const WIDTH: usize = 16;

/// Neighbouring bytes that are all marked or all not.
pub(crate) struct Piece {
    pub(crate) marked: bool,
    /// Two digits a byte, spaces between.
    pub(crate) digits: String,
    /// One character a byte.
    pub(crate) characters: String,
}

/// One line of the dump.
pub(crate) struct Line {
    pub(crate) offset: String,
    pub(crate) pieces: Vec<Piece>,
    /// Spaces that keep the characters of a short line in their column.
    pub(crate) padding: String,
    /// Whether the mark begins here.
    pub(crate) anchor: bool,
}

/// The lines of `window`, `mark` marked.
pub(crate) fn dump(bytes: &[u8], window: Range<usize>, mark: &Range<usize>) -> Vec<Line> {
    let shown = bytes.get(window.clone()).unwrap_or_default();
    let rows = shown.chunks(WIDTH).enumerate();
    rows.map(|(number, row)| line(row, window.start + number * WIDTH, mark)).collect()
}

fn line(row: &[u8], start: usize, mark: &Range<usize>) -> Line {
    let mut pieces: Vec<Piece> = Vec::new();
    for (offset, byte) in (start..).zip(row) {
        let marked = mark.contains(&offset);
        match pieces.last_mut() {
            Some(piece) if piece.marked == marked => {
                piece.digits.push_str(&format!(" {byte:02x}"));
                piece.characters.push(character(*byte));
            }
            _ => pieces.push(Piece { marked, digits: format!("{byte:02x}"), characters: character(*byte).into() }),
        }
    }
    let padding = " ".repeat((WIDTH - row.len().min(WIDTH)) * 3);
    let anchor = (start..start + row.len()).contains(&mark.start) && !mark.is_empty();
    Line { offset: format!("{start:06x}"), pieces, padding, anchor }
}

/// A byte as a character of its own; what is not printable ASCII is a dot.
fn character(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '·' }
}

/// A piece of evidence around a span, for one line: before, the span, after. At most `reach` bytes each side.
pub(crate) fn excerpt(bytes: &[u8], span: &Range<usize>, reach: usize) -> Option<[Range<usize>; 3]> {
    if span.start >= span.end || span.end > bytes.len() {
        return None;
    }
    let before = span.start.saturating_sub(reach)..span.start;
    let after = span.end..span.end.saturating_add(reach).min(bytes.len());
    Some([before, span.start..span.end, after])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_splits_lines_into_pieces() {
        let bytes: Vec<u8> = (0x1e..0x3e).collect();
        let lines = dump(&bytes, 0..bytes.len(), &(3..18));
        assert_eq!(lines.len(), 2);
        let marks: Vec<_> = lines[0].pieces.iter().map(|piece| (piece.marked, piece.characters.as_str())).collect();
        assert_eq!(marks, [(false, "·· "), (true, "!\"#$%&'()*+,-")]);
        assert!(lines[0].anchor && !lines[1].anchor);
        assert_eq!(lines[1].offset, "000010");
    }

    #[test]
    fn short_lines_are_padded_and_windows_beyond_the_end_are_empty() {
        let lines = dump(b"abc", 0..3, &(0..0));
        assert_eq!((lines[0].padding.len(), lines[0].anchor), (39, false));
        assert!(dump(b"abc", 5..9, &(0..0)).is_empty());
    }

    #[test]
    fn excerpts_stay_inside() {
        assert_eq!(excerpt(b"0123456789", &(4..6), 2), Some([2..4, 4..6, 6..8]));
        assert_eq!(excerpt(b"0123456789", &(8..10), 100), Some([0..8, 8..10, 10..10]));
        assert_eq!(excerpt(b"01", &(1..9), 2), None);
        assert_eq!(excerpt(b"01", &(1..1), 2), None);
    }
}
