//! A sum inside each commit over all of the commit: a log whose bytes changed is refused and never replayed.
//!
//! `commitInfo` may hold what a writer likes (Delta Lake protocol, "Commit Provenance Information"). Ours holds
//! `hinomiSum`, half a BLAKE3 hash of the whole file with that sum written as zeros. Commits of other writers, and ours
//! of before this, have none and are read as they are. At a hundred times the data: one pass over each commit when it
//! is read.

use hinomi_model::ContentHash;

/// Name of the field in `commitInfo`.
pub(crate) const FIELD: &str = "hinomiSum";

/// What stands in its place while the sum is worked out.
pub(crate) const ZEROS: &str = "00000000000000000000000000000000";

/// How the field stands in the text. Inside of a text of JSON the quotes would be escaped, so it stands there once.
const MARK: &str = "\"hinomiSum\":\"";

/// The commit with its sum, when it has the place for one.
pub(crate) fn seal(text: String) -> String {
    let Some(at) = place(&text) else { return text };
    let sum = sum(&text, at);
    let (before, rest) = text.split_at(at);
    format!("{before}{sum}{}", rest.get(ZEROS.len()..).unwrap_or_default())
}

/// Whether the commit is what was written.
pub(crate) fn holds(text: &str) -> bool {
    let Some(at) = place(text) else { return true };
    text.get(at..at + ZEROS.len()).is_some_and(|stated| stated == sum(text, at))
}

/// Whether the commit has a sum.
#[cfg(test)]
fn is_sealed(text: &str) -> bool {
    place(text).is_some()
}

fn place(text: &str) -> Option<usize> {
    let first = text.lines().next().unwrap_or_default();
    first.find(MARK).map(|at| at + MARK.len())
}

fn sum(text: &str, at: usize) -> String {
    let (before, rest) = (text.get(..at).unwrap_or_default(), text.get(at + ZEROS.len()..).unwrap_or_default());
    let mut hash = ContentHash::of(format!("{before}{ZEROS}{rest}").as_bytes()).to_string();
    hash.truncate(ZEROS.len());
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMIT: &str = concat!(
        r#"{"commitInfo":{"hinomiNote":{"text":"\"hinomiSum\":\"x\""},"#,
        r#""hinomiSum":"00000000000000000000000000000000"}}"#,
        "\n{\"txn\":{\"appId\":\"a\",\"version\":7}}\n",
    );

    #[test]
    fn a_sealed_commit_holds_and_one_without_a_place_stays_as_it_is() {
        let sealed = seal(COMMIT.to_owned());
        assert!(is_sealed(&sealed) && holds(&sealed) && !sealed.contains(ZEROS));
        assert_eq!(seal("{\"txn\":1}\n".to_owned()), "{\"txn\":1}\n");
        assert!(holds("{\"txn\":1}\n") && !is_sealed("{\"txn\":1}\n"));
        assert!(!holds(COMMIT) && !holds(r#"{"commitInfo":{"hinomiSum":"00"}}"#));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_told(at: prop::sample::Index, bit in 0_u8..7) {
            let mut bytes = seal(COMMIT.to_owned()).into_bytes();
            let at = at.index(bytes.len());
            let mark = COMMIT.rfind(MARK).expect("there");
            bytes[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
            // Who loses the name of the field loses the sum; nothing else can be wrong then.
            let nameless = (mark..mark + MARK.len()).contains(&at) || text.lines().count() != COMMIT.lines().count();
            prop_assert!(!holds(&text) || nameless);
        }
    }
}
