//! The rules of a run, in words for the ledger: one entry for each that is another than at the last run.
//!
//! Lists are told by their SHA-256, so that an auditor who has the file can compare: of several lists, the hash of their
//! hashes in hex, one a line, in the order of the command line. Two lists are not hashed, since a short list of addresses
//! can be guessed from its hash: that of infected lines, and that of the subscribers' prefixes, whose ranges are counted.

use std::collections::BTreeMap;

use hinomi_flow::ledger::Sha256;
use hinomi_model::merkle::TreeHash;

/// One rule and what it is in this run.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

impl Rule {
    pub(crate) fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into() }
    }

    /// A rule made of these lists.
    pub(crate) fn of_lists<'a>(name: &'static str, lists: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let hashes: Vec<String> = lists.into_iter().map(sha256).collect();
        let value = match hashes.as_slice() {
            [] => "none".to_owned(),
            [one] => format!("1 list, SHA-256 {one}"),
            many => format!("{} lists, SHA-256 {}", many.len(), sha256((many.join("\n") + "\n").as_bytes())),
        };
        Self { name, value }
    }
}

/// Those that are not as they were told last.
pub(crate) fn changed(rules: Vec<Rule>, told: &BTreeMap<String, String>) -> Vec<Rule> {
    rules.into_iter().filter(|rule| told.get(rule.name) != Some(&rule.value)).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::hash(&[bytes]).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_told_by_the_hash_that_sha256sum_prints() {
        let of = |lists: &[&[u8]]| Rule::of_lists("lists", lists.iter().copied()).value;
        assert_eq!(of(&[]), "none");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(&[b"abc"]), format!("1 list, SHA-256 {abc}"));
        let both = sha256(format!("{abc}\n{abc}\n").as_bytes());
        assert_eq!(of(&[b"abc", b"abc"]), format!("2 lists, SHA-256 {both}"));
    }

    #[test]
    fn only_what_differs_is_news() {
        let told = [("epoch", "60 s"), ("model", "none")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let rules = vec![Rule::new("epoch", "60 s"), Rule::new("model", "made"), Rule::new("base rate", "default")];
        let news: Vec<&str> = changed(rules, &told.into()).iter().map(|rule| rule.name).collect();
        assert_eq!(news, ["model", "base rate"]);
    }
}
