//! Addresses of our own pages. Nothing from outside gets into a link unencoded.

use std::fmt::Write;
use std::net::IpAddr;
use std::ops::Range;

use hinomi_model::ContentHash;
use hinomi_model::cnc::Endpoint;

pub use hinomi_share::term;

/// Percent-encodes everything but the unreserved characters of RFC 3986 section 2.3.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(encoded, "%{byte:02X}");
    }
    encoded
}

/// A path with parameters.
pub fn with_parameters<'a>(path: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut link = path.to_owned();
    for (number, (name, value)) in parameters.into_iter().enumerate() {
        link.push(if number == 0 { '?' } else { '&' });
        link.push_str(&encode(name));
        link.push('=');
        link.push_str(&encode(value));
    }
    link
}

/// The search page for a query.
pub fn search(query: &str) -> String {
    with_parameters("/search", [("q", query)])
}

/// A query narrowed by one more term. A query with alternatives is put into parentheses first; an order stays last.
pub fn narrowed(query: &str, term: &str) -> String {
    let query = query.trim();
    let (filter, order) = match query.rfind("sort:") {
        Some(at) if query.get(at..).is_some_and(|order| !order.contains(char::is_whitespace)) => query.split_at(at),
        _ => (query, ""),
    };
    let filter = filter.trim();
    let has_alternatives = filter.split_whitespace().any(|word| word.trim_matches(['(', ')']) == "OR");
    let filter = if has_alternatives { format!("({filter})") } else { filter.to_owned() };
    let parts = [filter.as_str(), term, order];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The page of one host.
pub fn host(address: IpAddr) -> String {
    format!("/hosts/{address}")
}

/// The page of one endpoint found in flows.
pub fn flow(endpoint: &Endpoint) -> String {
    format!("/flow/{}", in_path(endpoint))
}

/// The same for programs.
pub fn flow_api(endpoint: &Endpoint) -> String {
    format!("/api/v1/flow/findings/{}", in_path(endpoint))
}

/// An endpoint as one part of a path.
fn in_path(endpoint: &Endpoint) -> String {
    encode(&endpoint.to_string().replace('/', "-"))
}

/// The page of one piece of evidence, some bytes of it marked.
pub fn evidence(hash: &ContentHash, host: IpAddr, span: Option<Range<u32>>) -> String {
    let page = with_parameters(&format!("/evidence/{hash}"), [("host", host.to_string().as_str())]);
    match span {
        Some(span) => format!("{page}&start={}&end={}#mark", span.start, span.end),
        None => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_a_link() {
        assert_eq!(search("a b&c=\"<é>#"), "/search?q=a%20b%26c%3D%22%3C%C3%A9%3E%23");
        assert_eq!(with_parameters("/search", []), "/search");
    }

    #[test]
    fn terms_quote_what_needs_it() {
        assert_eq!(term("port", "443"), "port:443");
        assert_eq!(term("product", "Apache httpd"), "product:\"Apache httpd\"");
        assert_eq!(term("title", "a\"b\\c"), "title:\"a\\\"b\\\\c\"");
        assert_eq!(term("net", "192.0.2.0/24"), "net:192.0.2.0/24");
        assert_eq!(term("version", "1..2"), "version:\"1..2\"");
    }

    #[test]
    fn narrowing_keeps_alternatives_together() {
        assert_eq!(narrowed("", "port:22"), "port:22");
        assert_eq!(narrowed("kind:camera", "port:80"), "kind:camera port:80");
        assert_eq!(narrowed("port:22 OR port:23", "kind:nas"), "(port:22 OR port:23) kind:nas");
        assert_eq!(narrowed("port:22 OR port:23 sort:-seen", "kind:nas"), "(port:22 OR port:23) kind:nas sort:-seen");
        assert_eq!(narrowed("sort:-seen", "kind:nas"), "kind:nas sort:-seen");
    }
}
