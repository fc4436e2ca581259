//! Parameters of `WWW-Authenticate` challenges (RFC 9110 section 11.6.1), for HTTP and RTSP.
//!
//! Works on the input itself and not on the joined value, so that spans are exact and quoting is honoured: a nonce
//! that contains `realm=` is a nonce.

use std::ops::Range;

use crate::text::get;

/// The most parameters that are read of one header.
const MAX_PARAMETERS: usize = 64;

/// A parameter: its name and its value without quotes, as ranges of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Before the equals sign.
    pub(crate) name: Range<usize>,
    /// After it.
    pub(crate) value: Range<usize>,
}

/// The `realm` values of every challenge in the header value at `span`.
pub(crate) fn realms(input: &[u8], span: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
    parameters(input, span)
        .filter(|parameter| get(input, parameter.name.clone()).eq_ignore_ascii_case(b"realm"))
        .map(|parameter| parameter.value)
}

/// Every `name=value` and `name="value"` of the header value at `span`.
pub(crate) fn parameters(input: &[u8], span: Range<usize>) -> impl Iterator<Item = Parameter> + '_ {
    let mut at = span.start;
    std::iter::from_fn(move || next_parameter(input, &mut at, span.end)).take(MAX_PARAMETERS)
}

fn next_parameter(input: &[u8], at: &mut usize, end: usize) -> Option<Parameter> {
    let mut name = *at..*at;
    while *at < end {
        let byte = *input.get(*at)?;
        *at += 1;
        match byte {
            b'=' if !name.is_empty() => {
                let value = value(input, at, end);
                return Some(Parameter { name, value });
            }
            // A quoted string without a name: skipped whole, so that nothing inside it is taken for a name.
            b'"' => {
                *at = quoted_end(input, *at, end) + 1;
                name = *at..*at;
            }
            byte if is_token(byte) => {
                name = if name.end + 1 == *at { name.start..*at } else { *at - 1..*at };
            }
            _ => name = *at..*at,
        }
    }
    None
}

fn value(input: &[u8], at: &mut usize, end: usize) -> Range<usize> {
    let start = *at;
    if input.get(start) == Some(&b'"') && start < end {
        let close = quoted_end(input, start + 1, end);
        *at = close + 1;
        return start + 1..close;
    }
    let bytes = get(input, start..end);
    // Wider than a token: careless servers leave quotes away around realms and base64.
    let length = bytes.iter().position(|byte| *byte == b',' || *byte <= b' ').unwrap_or(bytes.len());
    *at = start + length;
    start..start + length
}

/// Where the closing quote stands, or `end`.
fn quoted_end(input: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    while at < end {
        match input.get(at) {
            Some(b'"') => return at,
            Some(b'\\') => at += 2,
            _ => at += 1,
        }
    }
    end
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'#' | b'$' | b'*' | b'+' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(input: &str) -> Vec<(String, String)> {
        let part = |range| String::from_utf8_lossy(get(input.as_bytes(), range)).into_owned();
        parameters(input.as_bytes(), 0..input.len()).map(|p| (part(p.name), part(p.value))).collect()
    }

    #[test]
    fn several_challenges_in_one_header() {
        let found = texts(r#"Basic realm="Camera", Digest realm="IP \"Cam\"", nonce="realm=x", qop=auth"#);
        let expected = [("realm", "Camera"), ("realm", r#"IP \"Cam\""#), ("nonce", "realm=x"), ("qop", "auth")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn careless_forms() {
        assert_eq!(texts("Basic realm=index.html"), [("realm".to_owned(), "index.html".to_owned())]);
        assert_eq!(texts(r#"Basic realm="open"#), [("realm".to_owned(), "open".to_owned())]);
        assert_eq!(texts("Negotiate"), []);
    }
}
