//! What ids, names and addresses of people may look like. Hostile text stays out of mail headers, terminals and files.

use crate::error::StateError;

/// Longest id, name, mail address and telephone number, in characters.
const MAX_ID_CHARS: usize = 64;
const MAX_NAME_CHARS: usize = 200;
const MAX_MAIL_CHARS: usize = 254;
const MAX_PHONE_CHARS: usize = 40;

/// An id: `city-a`.
pub(crate) fn id(text: &str) -> Result<(), StateError> {
    let inner = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if inner && (1..=MAX_ID_CHARS).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(());
    }
    Err(StateError::refused(format!("{:?} is no id: 1 to {MAX_ID_CHARS} of a-z, 0-9 and '-', as city-a", shown(text))))
}

/// A name that people read, on one line.
pub(crate) fn name(what: &str, text: &str) -> Result<(), StateError> {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let broken = text.chars().any(|c| c.is_control() || turns(c));
    if broken || text.trim() != text || text.chars().count() > MAX_NAME_CHARS {
        return Err(StateError::refused(format!(
            "the {what} {:?} does not do: one line of at most {MAX_NAME_CHARS} characters, without blanks around it",
            shown(text)
        )));
    }
    Ok(())
}

/// A mail address, of the plain kind (RFC 5321 without quoted parts, comments or literals).
pub(crate) fn mail(text: &str) -> Result<(), StateError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let domain_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let fits = text.split_once('@').is_some_and(|(local, domain)| {
        let ends = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.');
        let dots = !text.contains("..") && domain.contains('.');
        local.chars().all(plain) && domain.chars().all(domain_char) && ends(local) && ends(domain) && dots
    });
    if fits && text.len() <= MAX_MAIL_CHARS && !text.starts_with('-') {
        return Ok(());
    }
    Err(StateError::refused(format!("{:?} is no mail address as csirt@example.org", shown(text))))
}

/// A telephone number, or nothing.
pub(crate) fn phone(text: &str) -> Result<(), StateError> {
    if text.len() <= MAX_PHONE_CHARS && text.chars().all(|c| c.is_ascii_digit() || "+-() ext.".contains(c)) {
        return Ok(());
    }
    Err(StateError::refused(format!("{:?} is no telephone number as +81 3 0000 0000", shown(text))))
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_ID_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_header_or_a_line_is_refused() {
        assert!(id("city-a").is_ok() && id("a").is_ok() && id("2").is_ok());
        for wrong in ["", "City", "a b", "a\n", "-a", "a-", "a.b", "市", &"a".repeat(65)] {
            assert!(id(wrong).is_err(), "{wrong:?}");
        }
        assert!(name("name", "千代田区 情報システム課").is_ok() && name("name", "").is_ok());
        for wrong in ["a\nb", " a", "a\u{202e}b", &"a".repeat(201)] {
            assert!(name("name", wrong).is_err(), "{wrong:?}");
        }
        assert!(mail("csirt+a@example.org").is_ok());
        for wrong in
            ["", "a", "a@b", "a@b.c\r\nBcc: x@y.z", "a b@c.d", "a@@c.d", "<a@c.d>", "a@c..d", ".a@c.d", "-a@c.d"]
        {
            assert!(mail(wrong).is_err(), "{wrong:?}");
        }
        assert!(phone("+81 (3) 0000-0000 ext. 1").is_ok() && phone("").is_ok() && phone("1\n2").is_err());
    }
}
