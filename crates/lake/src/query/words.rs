//! Words of running text: how it is cut, folded, and which words the index leaves out.
//!
//! A word is a run of letters and digits; a Chinese, Japanese or Korean character is a word of its own, so that such
//! text is found wherever it stands. Long numbers, long hexadecimal words and very long words are hardly ever asked for
//! and make most of an index: they are left out of it ([`LeftOut`]) and looked for in the text itself when somebody
//! does.

/// Stands between texts that do not follow one another: no phrase reaches across.
pub(crate) const GAP: char = '\u{1f}';

/// The longest word that is indexed, in bytes.
pub(crate) const MAX_WORD_BYTES: usize = 64;

const MIN_HEX_CHARS: usize = 12;
const MIN_NUMBER_CHARS: usize = 7;

/// Folds case, character by character, so that the parts of a text fold like the whole.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) position: usize,
    pub(crate) text: String,
}

/// Why a word is not in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// A long number or hexadecimal word.
    Hex,
    /// Longer than [`MAX_WORD_BYTES`].
    Long,
}

impl LeftOut {
    /// Whether this word is left out, and why.
    pub(crate) fn of(word: &str) -> Option<Self> {
        if word.len() > MAX_WORD_BYTES {
            return Some(Self::Long);
        }
        let number = word.len() >= MIN_NUMBER_CHARS && word.bytes().all(|b| b.is_ascii_digit());
        let hex = word.len() >= MIN_HEX_CHARS
            && word.bytes().all(|b| b.is_ascii_hexdigit())
            && word.bytes().any(|b| b.is_ascii_digit());
        (number || hex).then_some(Self::Hex)
    }

    /// The term that marks services whose text has such words.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Long => "long",
        }
    }
}

/// Whether a character is a word of its own.
pub(crate) const fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3fffd}')
}

/// The words of a text, folded.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut out = Vec::new();
    let mut position = 0;
    let mut word = String::new();
    let mut finish = |word: &mut String, position: &mut usize| {
        if !word.is_empty() {
            out.push(Word { position: *position, text: std::mem::take(word) });
            *position += 1;
        }
    };
    for c in text.chars().flat_map(char::to_lowercase) {
        if stands_alone(c) {
            finish(&mut word, &mut position);
            word.push(c);
            finish(&mut word, &mut position);
        } else if c.is_alphanumeric() {
            word.push(c);
        } else {
            finish(&mut word, &mut position);
            position += usize::from(c == GAP);
        }
    }
    finish(&mut word, &mut position);
    out
}

/// Whether these words follow one another somewhere in a text.
pub(crate) fn has_phrase(text: &[Word], phrase: &[Word]) -> bool {
    let fits = |window: &[Word]| {
        window.iter().zip(phrase).all(|(have, want)| have.text == want.text)
            && window
                .last()
                .zip(window.first())
                .is_some_and(|(last, first)| last.position - first.position + 1 == window.len())
    };
    !phrase.is_empty() && text.windows(phrase.len()).any(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn text_is_cut_at_what_is_no_letter_and_around_ideographs() {
        assert_eq!(texts("SSH-2.0-OpenSSH_9.6p1"), ["ssh", "2", "0", "openssh", "9", "6p1"]);
        assert_eq!(texts("RT-500KI ログイン"), ["rt", "500ki", "ロ", "グ", "イ", "ン"]);
    }

    #[test]
    fn phrases_do_not_reach_across_a_gap() {
        assert!(has_phrase(&words("a login page"), &words("login page")));
        assert!(!has_phrase(&words("login\u{1f}page"), &words("login page")));
        assert!(!has_phrase(&words("login"), &[]));
    }

    #[test]
    fn long_numbers_and_hashes_are_left_out() {
        assert_eq!(LeftOut::of("1234567"), Some(LeftOut::Hex));
        assert_eq!(LeftOut::of("deadbeef0123"), Some(LeftOut::Hex));
        assert_eq!(LeftOut::of("feedfacebeef"), None);
        assert_eq!(LeftOut::of(&"z".repeat(65)), Some(LeftOut::Long));
        assert_eq!(LeftOut::of("8080"), None);
    }
}
