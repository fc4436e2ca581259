//! What a pattern of STIX names (STIX 2.1, part 9), read soberly: every address in it counts as named; one that is
//! compared with equals, IN or ISSUBSET as something that is said about it.

use super::stix::Named;

/// The longest pattern, in bytes.
pub(super) const MAX_BYTES: usize = 256 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `ipv4-addr:value`, `IN`, `AND`, `file:hashes.'SHA-256'`: a word with everything that hangs on it.
    Word(String),
    /// A text between quotes.
    Text(String),
    /// Anything else.
    Sign(char),
}

/// Takes what a pattern names.
pub(super) fn read(pattern: &str, named: &mut Named) {
    let tokens = tokens(pattern);
    let (mut path, mut operator, mut negated) = (String::new(), String::new(), false);
    for token in &tokens {
        match token {
            Token::Word(word) if word.contains(':') => (path, operator, negated) = (word.clone(), String::new(), false),
            Token::Word(word) if word == "NOT" => negated = true,
            Token::Word(word) => operator.clone_from(word),
            Token::Sign('!') => negated = true,
            Token::Sign('=') => operator = "=".to_owned(),
            Token::Sign('[' | ']') => path = String::new(),
            Token::Sign(_) => {}
            Token::Text(text) => {
                let said = !negated && ["=", "==", "IN", "ISSUBSET"].contains(&operator.as_str());
                take(&path, text, said, named);
            }
        }
    }
}

fn take(path: &str, text: &str, said: bool, named: &mut Named) {
    let (kind, property) = path.split_once(':').unwrap_or_default();
    let is_value = property == "value" || property.ends_with(".value");
    // Any text that is an address names it, whatever stands beside it.
    if named.address(text, said && is_value) {
        return;
    }
    match kind {
        "domain-name" if said && is_value => named.value("domain", text),
        "url" if is_value => named.url(text, said),
        _ if said && property.contains("hashes") => named.value("hash", text),
        _ if said && is_value && property.contains("_ref") => named.value("domain", text),
        _ => {}
    }
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut left = pattern.chars().peekable();
    while let Some(next) = left.next() {
        match next {
            '\'' => tokens.push(Token::Text(text(&mut left))),
            word if is_word(word) => {
                let mut whole = String::from(word);
                while let Some(more) = left.next_if(|more| is_word(*more) || (*more == '\'' && whole.contains(':'))) {
                    // A part of a path may be quoted: file:hashes.'SHA-256'.
                    if more == '\'' {
                        whole.push_str(&text(&mut left));
                    } else {
                        whole.push(more);
                    }
                }
                tokens.push(Token::Word(whole));
            }
            blank if blank.is_whitespace() => {}
            sign => tokens.push(Token::Sign(sign)),
        }
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.:".contains(character)
}

/// The rest of a text, up to its closing quote.
fn text(left: &mut impl Iterator<Item = char>) -> String {
    let mut whole = String::new();
    while let Some(next) = left.next() {
        match next {
            '\'' => break,
            '\\' => whole.extend(left.next()),
            other => whole.push(other),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use hinomi_state::objects::Saying;

    use super::*;

    fn named(pattern: &str) -> (Vec<String>, Vec<String>) {
        let mut named = Named::default();
        read(pattern, &mut named);
        let place = |((low, _), saying): (&(u128, u128), &Saying)| {
            let mark = if *saying == Saying::Says { "" } else { "?" };
            format!("{}{mark}", hinomi_model::address::from_u128(*low))
        };
        let values = named.values.iter().map(|(kind, value)| format!("{kind} {value}"));
        (named.places.iter().map(place).collect(), values.collect())
    }

    #[test]
    fn addresses_are_named_wherever_they_stand_and_said_where_they_are_compared() {
        for (pattern, places) in [
            ("[ipv4-addr:value = '198.51.100.7']", vec!["198.51.100.7"]),
            (
                "[ipv4-addr:value='198.51.100.7' OR ipv6-addr:value IN ('2001:db8::1','2001:db8::2')]",
                vec!["198.51.100.7", "2001:db8::1", "2001:db8::2"],
            ),
            ("[ipv4-addr:value ISSUBSET '198.51.100.9/24']", vec!["198.51.100.0"]),
            ("[ipv4-addr:value != '198.51.100.7']", vec!["198.51.100.7?"]),
            ("[ipv4-addr:value NOT IN ('198.51.100.7')]", vec!["198.51.100.7?"]),
            (
                "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 443]",
                vec!["198.51.100.7"],
            ),
            ("[x-own:note = '198.51.100.7']", vec!["198.51.100.7?"]),
            (
                "[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [url:value = 'http://198.51.100.8:80/x']",
                vec!["198.51.100.7", "198.51.100.8"],
            ),
            ("[ipv4-addr:value = '0198.51.100.7']", vec![]),
            ("[ipv4-addr:value LIKE '198.51.%']", vec![]),
            ("[file:name = 'it\\'s 198.51.100.7']", vec![]),
            ("'", vec![]),
        ] {
            assert_eq!(named(pattern).0, places, "{pattern}");
        }
    }

    #[test]
    fn names_pages_and_hashes_are_said() {
        let hash = "A".repeat(64);
        let (_, values) = named(&format!(
            "[domain-name:value = 'Evil.Example.'] OR [file:hashes.'SHA-256' = '{hash}'] OR [url:value = 'https://e.example/a']"
        ));
        let hash = hash.to_lowercase();
        assert_eq!(
            values,
            ["domain evil.example".to_owned(), format!("hash {hash}"), "url https://e.example/a".into()]
        );
        assert!(named("[domain-name:value != 'evil.example']").1.is_empty());
    }
}
