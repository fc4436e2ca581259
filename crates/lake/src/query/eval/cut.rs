//! A text cut into words, held as one folded text and where each word stands.

use super::super::words::{Cutter, Word};

/// The words of a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut {
    folded: String,
    /// Where a word ends in `folded`, and its position in the text.
    words: Vec<(usize, usize)>,
}

impl Cut {
    /// Cuts a text.
    pub(crate) fn new(text: &str) -> Self {
        let (mut cutter, mut word) = (Cutter::new(text), String::new());
        let mut cut = Self { folded: String::with_capacity(text.len()), words: Vec::with_capacity(text.len() / 6) };
        while let Some(position) = cutter.next_into(&mut word) {
            cut.folded.push_str(&word);
            cut.words.push((cut.folded.len(), position));
        }
        cut
    }

    /// Every word, folded.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.placed().map(|(word, _)| word)
    }

    /// Whether some word fits.
    pub(crate) fn any(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.iter().any(fits)
    }

    /// Whether these words stand somewhere at the distances they have from one another.
    pub(crate) fn has_phrase(&self, phrase: &[Word]) -> bool {
        let Some((first, rest)) = phrase.split_first() else { return false };
        let mut from = self.placed();
        while let Some((word, position)) = from.next() {
            if word != first.text {
                continue;
            }
            let mut next = from.clone();
            let stands = |want: &Word| {
                let wanted = position + want.position - first.position;
                next.find(|(_, at)| *at >= wanted).is_some_and(|(word, at)| at == wanted && word == want.text)
            };
            if rest.iter().all(stands) {
                return true;
            }
        }
        false
    }

    fn placed(&self) -> impl Iterator<Item = (&str, usize)> + Clone {
        let mut start = 0;
        self.words.iter().map(move |(end, position)| {
            let word = self.folded.get(start..*end).unwrap_or_default();
            start = *end;
            (word, *position)
        })
    }
}
