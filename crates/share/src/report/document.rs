//! What a report looks like, without saying how it is drawn.

/// A report in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// One line.
    pub title: String,
    /// Under it: for whom, when made.
    pub subtitle: String,
    /// `ja` or `en`.
    pub language: &'static str,
    /// At the foot of each page.
    pub foot: String,
    /// In order.
    pub blocks: Vec<Block>,
}

/// A piece of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading; a bookmark leads there.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// What is less important.
    Note(String),
    /// A few numbers, large.
    Numbers(Vec<Number>),
    /// Things to do, one after the other.
    Steps(Vec<String>),
    /// Rows.
    Table(Table),
    /// Bars from left to right, or one above the other.
    Bars {
        /// What is drawn, also for who does not see it.
        title: String,
        /// Whether names stand beside lying bars; else they are days under standing ones.
        lying: bool,
        /// Each.
        bars: Vec<Bar>,
        /// What a mark in place of a bar means, where there is one.
        absent: Option<String>,
    },
    /// What follows begins on a new page.
    Page,
}

/// A large number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// What is counted.
    pub label: String,
    /// How many.
    pub value: String,
    /// How many before.
    pub beside: String,
}

/// Rows of texts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Table {
    /// Names of the columns.
    pub head: Vec<String>,
    /// How wide each is, of 100; negative stands at the right, as numbers do.
    pub widths: Vec<i8>,
    /// Texts by column.
    pub rows: Vec<Vec<String>>,
}

/// One bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its name.
    pub label: String,
    /// How long it is.
    pub value: u64,
    /// How long it was before, where that is drawn beside it.
    pub before: Option<u64>,
    /// Whether its number rests on a look of its own; if not, it is marked.
    pub looked: bool,
}

/// Longest text of others in a cell, in characters.
const MAX_CHARS: usize = 120;

/// A text of others: bounded, on one line, without what would act or turn the writing around.
pub(super) fn clean(text: &str) -> String {
    let acts = |c: &char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}')
    };
    let mut clean: String = text.chars().filter(|c| !acts(c)).take(MAX_CHARS).collect();
    if text.chars().filter(|c| !acts(c)).nth(MAX_CHARS).is_some() {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_bounded_and_do_not_act() {
        assert_eq!(clean("a\u{202e}b\u{1b}[31m\r\n\u{200b}カメラ"), "ab[31mカメラ");
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), MAX_CHARS + 1);
    }
}
