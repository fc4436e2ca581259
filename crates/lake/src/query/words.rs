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
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    // Mostly ASCII, in long runs: those go in one stroke.
    while let Some(at) = rest.bytes().position(|byte| !byte.is_ascii()) {
        let (plain, other) = rest.split_at(at);
        folded.push_str(plain);
        let mut chars = other.chars();
        folded.extend(chars.next().into_iter().flat_map(char::to_lowercase));
        rest = chars.as_str();
    }
    folded.push_str(rest);
    // Nothing beyond ASCII folds to an ASCII capital.
    folded.make_ascii_lowercase();
    folded
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

/// Cuts a text into words, one at a time, into a buffer of the caller's: an index is mostly made by this.
#[derive(Clone, Debug)]
pub(crate) struct Cutter<'a> {
    rest: &'a str,
    /// What one character folded to and is not looked at yet.
    folded: Option<std::char::ToLowercase>,
    /// A character that stands alone, found at the end of another word.
    held: Option<char>,
    position: usize,
}

impl<'a> Cutter<'a> {
    /// The words of this text.
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { rest: text, folded: None, held: None, position: 0 }
    }

    /// Puts the next word, folded, into `word` and gives its place; none at the end of the text.
    pub(crate) fn next_into(&mut self, word: &mut String) -> Option<usize> {
        word.clear();
        loop {
            if let Some(c) = self.held.take().or_else(|| self.folded.as_mut()?.next()) {
                if self.ends(c, word) {
                    return Some(self.step());
                }
                continue;
            }
            match self.rest.chars().next() {
                None => return (!word.is_empty()).then(|| self.step()),
                Some(c) if c.is_ascii_alphanumeric() => self.take_run(word),
                Some(c) if c.is_ascii() => {
                    if !word.is_empty() {
                        return Some(self.step());
                    }
                    self.pass(c);
                    self.position += usize::from(c == GAP);
                }
                Some(c) => {
                    self.pass(c);
                    self.folded = Some(c.to_lowercase());
                }
            }
        }
    }

    /// Takes one folded character; whether the word is complete.
    fn ends(&mut self, c: char, word: &mut String) -> bool {
        if stands_alone(c) && !word.is_empty() {
            self.held = Some(c);
            return true;
        }
        if c.is_alphanumeric() || stands_alone(c) {
            word.push(c);
            return stands_alone(c);
        }
        !word.is_empty()
    }

    /// Takes letters and digits of ASCII, as long as they last.
    fn take_run(&mut self, word: &mut String) {
        let end = self.rest.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let start = word.len();
        if let Some((run, rest)) = self.rest.split_at_checked(end) {
            word.push_str(run);
            self.rest = rest;
        }
        if let Some(run) = word.get_mut(start..) {
            run.make_ascii_lowercase();
        }
    }

    fn pass(&mut self, c: char) {
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
    }

    const fn step(&mut self) -> usize {
        self.position += 1;
        self.position - 1
    }
}

/// The words of a text, folded.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut cutter = Cutter::new(text);
    let mut word = String::new();
    std::iter::from_fn(|| {
        let position = cutter.next_into(&mut word)?;
        Some(Word { position, text: word.clone() })
    })
    .collect()
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
    use proptest::prelude::*;

    /// The same, said plainly.
    fn plainly(text: &str) -> Vec<Word> {
        let mut out: Vec<Word> = Vec::new();
        let (mut position, mut open) = (0, false);
        for c in text.chars().flat_map(char::to_lowercase) {
            if !open || stands_alone(c) || !c.is_alphanumeric() {
                position += usize::from(open);
                open = false;
            }
            match out.last_mut() {
                Some(last) if open => last.text.push(c),
                _ if stands_alone(c) || c.is_alphanumeric() => {
                    out.push(Word { position, text: c.to_string() });
                    open = true;
                    if stands_alone(c) {
                        (position, open) = (position + 1, false);
                    }
                }
                _ => position += usize::from(c == GAP),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn folding_is_what_it_says(text in "([a-zA-Z0-9 ]{0,9}|\\PC|[ァ-ヶ漢字İẞÀéK\u{212a}\u{fffd}]){0,24}") {
            prop_assert_eq!(fold(&text), text.chars().flat_map(char::to_lowercase).collect::<String>());
        }

        #[test]
        fn cutting_is_what_it_says(text in "([a-zA-Z0-9]{0,3}|[ \u{1f}./-]|\\PC|[ァ-ヶぁ-ん漢字İẞ]){0,24}") {
            prop_assert_eq!(words(&text), plainly(&text));
        }
    }

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
