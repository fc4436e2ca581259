//! Text that a scanned host, a certificate or another tool said, made fit to be looked at.
//!
//! Whatever comes from outside becomes a [`Seen`] before a template may have it. Characters that act instead of being
//! seen (controls, terminal escapes, changes of writing direction, invisible joiners) are replaced by something
//! visible in plain ASCII, written as in a Rust string, and the length is bounded. Escaping for HTML is the template's own and happens on top of this.

use std::fmt;

use hinomi_model::remark;

use crate::limits::{LINE_CHARS, WORD_CHARS};
use crate::words::Words;

/// Text from outside in a form that shows everything and does nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen(String);

impl Seen {
    /// One line of at most [`LINE_CHARS`] characters.
    pub fn line(text: &str) -> Self {
        Self::cut(text, LINE_CHARS, false)
    }

    /// A short value of at most [`WORD_CHARS`] characters.
    pub fn word(text: &str) -> Self {
        Self::cut(text, WORD_CHARS, false)
    }

    /// What a sensor remarked, in the visitor's language where it is always worded alike.
    pub fn remark(words: &Words, text: &str) -> Self {
        let known = remark::name_of(text).and_then(|name| words.find("remark-", name));
        known.map_or_else(|| Self::line(text), |known| Self::line(&known))
    }

    /// Several lines, line ends and tabs kept, at most `max_chars` characters.
    pub fn block(text: &str, max_chars: usize) -> Self {
        Self::cut(text, max_chars, true)
    }

    /// Bytes on one line: text where they are UTF-8, else each byte as `\xff`.
    pub fn bytes(bytes: &[u8], max_chars: usize) -> Self {
        let mut visible = String::with_capacity(bytes.len().min(max_chars));
        let mut room = max_chars;
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars().take(room) {
                push_visible(&mut visible, character, false);
                room = room.saturating_sub(1);
            }
            for byte in chunk.invalid().iter().take(room) {
                visible.push_str(&format!("\\x{byte:02x}"));
                room = room.saturating_sub(1);
            }
            if room == 0 {
                break;
            }
        }
        if room == 0 && bytes.len() > max_chars {
            visible.push('…');
        }
        Self(visible)
    }

    /// The visible text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn cut(text: &str, max_chars: usize, lines: bool) -> Self {
        let mut visible = String::with_capacity(text.len().min(max_chars.saturating_mul(4)));
        for (count, character) in text.chars().enumerate() {
            if count == max_chars {
                visible.push('…');
                break;
            }
            push_visible(&mut visible, character, lines);
        }
        Self(visible)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn push_visible(out: &mut String, character: char, lines: bool) {
    match character {
        '\n' | '\t' if lines => out.push(character),
        '\r' if lines => {}
        '\r' | '\n' | '\t' => out.extend(character.escape_default()),
        '\0'..='\u{1f}' | '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(character))),
        _ if acts(character) => out.push_str(&format!("\\u{{{:04x}}}", u32::from(character))),
        _ => out.push(character),
    }
}

/// Whether a character changes how others are shown, or is not shown itself (Unicode general categories Cc, Cf, Zl, Zp
/// and the fillers that look like nothing).
const fn acts(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_instead() {
        assert_eq!(Seen::line("a\x1b[31mb\r\n\0").as_str(), "a\\x1b[31mb\\r\\n\\x00");
        assert_eq!(Seen::line("invoice\u{202e}fdp.exe").as_str(), "invoice\\u{202e}fdp.exe");
        assert_eq!(Seen::word("a\u{200b}b\u{feff}\u{9b}").as_str(), "a\\u{200b}b\\u{feff}\\u{009b}");
        assert_eq!(Seen::line("カメラ <b>").as_str(), "カメラ <b>", "HTML is the template's business");
    }

    #[test]
    fn blocks_keep_their_lines_and_everything_is_bounded() {
        assert_eq!(Seen::block("a\r\n\tb\x07", 99).as_str(), "a\n\tb\\x07");
        assert_eq!(Seen::line(&"x".repeat(10_000)).as_str().chars().count(), LINE_CHARS + 1);
        assert_eq!(Seen::bytes(b"\xff\xfeok", 3).as_str(), "\\xff\\xfeo…");
        assert_eq!(Seen::bytes("ログ\x01".as_bytes(), 9).as_str(), "ログ\\x01");
    }
}
