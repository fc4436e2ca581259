//! What sensors say of a service or of themselves in the same words each time, so that pages can say it in each language.

/// It speaks without end.
pub const ENDLESS: &str = "speaks without end";
/// It speaks in drops.
pub const DROPS: &str = "speaks in drops, as tarpits do";
/// It ends each connection at once.
pub const RESET: &str = "accepts and resets without a word";
/// Its host answers on every port.
pub const EVERY_PORT: &str = "every port of this host answers alike";
/// A campaign whose checkpoint has no account.
pub const NO_ACCOUNT: &str = "stored by an earlier version, which kept no counts";

/// All of them, with the names under which catalogues have them.
pub const ALL: [(&str, &str); 5] =
    [("endless", ENDLESS), ("drops", DROPS), ("reset", RESET), ("every-port", EVERY_PORT), ("no-account", NO_ACCOUNT)];

/// The name of a remark that is always worded like this; none of free text.
pub fn name_of(text: &str) -> Option<&'static str> {
    ALL.iter().find(|(_, words)| *words == text).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_have_a_name_and_others_none() {
        assert_eq!(name_of("speaks without end"), Some("endless"));
        assert_eq!(name_of("speaks"), None);
    }
}
