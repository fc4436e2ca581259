//! Shodan's query language in Hinomi's.
//!
//! Words and `filter:value` side by side; `"quotes"`; a `-` before one takes it away; commas between values mean any of
//! them. A filter that there is nothing for here is refused by name: to pass over it in silence would find other things.

use hinomi_share::term;

/// The longest query.
const MAX_QUERY_CHARS: usize = 3_000;

/// How a value is written.
#[derive(Clone, Copy)]
enum Value {
    /// As it is, quoted where it needs to be.
    Whole,
    /// Anywhere in the value.
    Part,
    /// In the running text of the value.
    Words,
    /// With this prefix taken off, in whatever case: `AS64500` or `64500`, `tlsv1.2`.
    Without(&'static str),
}

/// Filters that are a field here.
const FIELDS: &[(&str, &str, Value)] = &[
    ("port", "port", Value::Whole),
    ("net", "net", Value::Whole),
    ("ip", "ip", Value::Whole),
    ("transport", "transport", Value::Whole),
    ("asn", "as", Value::Without("as")),
    ("org", "operator", Value::Part),
    ("isp", "operator", Value::Part),
    ("country", "country", Value::Whole),
    ("region", "prefecture", Value::Part),
    ("state", "prefecture", Value::Part),
    ("product", "product", Value::Part),
    ("version", "version", Value::Whole),
    ("os", "os", Value::Part),
    ("device", "kind", Value::Whole),
    ("module", "protocol", Value::Whole),
    ("cpe", "cpe", Value::Whole),
    ("tag", "tag", Value::Whole),
    ("title", "title", Value::Words),
    ("http.title", "title", Value::Words),
    ("hostname", "cert.subject", Value::Words),
    ("ssl.cert.subject.cn", "cert.subject", Value::Words),
    ("ssl.cert.issuer.cn", "cert.issuer", Value::Words),
    ("ssl.cert.alg", "cert.signature", Value::Whole),
    ("ssl.version", "tls.version", Value::Without("tlsv")),
    ("ssl.cipher.name", "tls.cipher", Value::Whole),
    ("ssh.hassh", "hassh", Value::Whole),
];

/// Other filters.
const OTHERS: &[&str] =
    &["all", "after", "before", "has_ipv6", "has_ssl", "html", "http.html", "ssl", "ssl.cert.expired"];

/// Every filter that is understood.
pub(super) fn filters() -> Vec<&'static str> {
    let mut all: Vec<_> = FIELDS.iter().map(|(name, ..)| *name).chain(OTHERS.iter().copied()).collect();
    all.sort_unstable();
    all
}

/// A piece of a query.
#[derive(Debug, PartialEq, Eq)]
struct Token {
    taken_away: bool,
    filter: Option<String>,
    /// Between commas outside quotes.
    values: Vec<String>,
}

/// The same question in Hinomi's language.
///
/// # Errors
/// When it cannot be understood, or asks for what there is nothing for here; with the reason.
pub(super) fn translate(query: &str) -> Result<String, String> {
    if query.chars().count() > MAX_QUERY_CHARS {
        return Err(format!("a query may have {MAX_QUERY_CHARS} characters"));
    }
    let mut parts = Vec::new();
    for token in tokens(query)? {
        let part = clause(&token)?;
        parts.push(if token.taken_away { format!("-({part})") } else { part });
    }
    Ok(parts.join(" "))
}

fn clause(token: &Token) -> Result<String, String> {
    let Some(name) = &token.filter else {
        return Ok(any(&token.values, quoted));
    };
    if token.values.iter().all(String::is_empty) {
        return Err(format!("{name}: has no value"));
    }
    if let Some((_, field, how)) = FIELDS.iter().find(|(each, ..)| each == name) {
        return Ok(any(&token.values, |value| of_field(field, *how, value)));
    }
    let one = token.values.first().map(String::as_str).unwrap_or_default();
    Ok(match name.as_str() {
        "all" => any(&token.values, quoted),
        "html" | "http.html" => any(&token.values, |value| format!("text:{}", quoted(value))),
        "ssl" => any(&token.values, |value| format!("(cert.subject:{0} OR cert.issuer:{0})", quoted(value))),
        "after" => format!("seen:>={}", date(one)?),
        "before" => format!("seen:<{}", date(one)?),
        "has_ssl" => truth(name, one, "has:tls")?,
        "has_ipv6" => truth(name, one, "net:::/0")?,
        "ssl.cert.expired" => truth(name, one, "cert.expires:<0d")?,
        unknown => return Err(format!("there is no filter {unknown:?} here; there are {}", filters().join(", "))),
    })
}

fn any(values: &[String], written: impl Fn(&str) -> String) -> String {
    match values {
        [one] => written(one),
        many => format!("({})", many.iter().map(|one| written(one)).collect::<Vec<_>>().join(" OR ")),
    }
}

fn of_field(field: &str, how: Value, value: &str) -> String {
    match how {
        Value::Whole => term(field, value),
        Value::Part => format!("{field}:*{}*", escaped(value)),
        Value::Words => format!("{field}:{}", quoted(value)),
        Value::Without(prefix) => {
            let start = value.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix));
            term(field, start.and_then(|_| value.get(prefix.len()..)).unwrap_or(value))
        }
    }
}

/// Each character for itself, also where stars around it stand for others.
fn escaped(value: &str) -> String {
    let special = |c: char| c.is_whitespace() || "\"\\*,:()<>=-".contains(c);
    value.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn truth(name: &str, value: &str, then: &str) -> Result<String, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(then.to_owned()),
        "false" | "0" => Ok(format!("-{then}")),
        _ => Err(format!("{name}: takes true or false")),
    }
}

/// `22/11/2026` or `2026-11-22`.
fn date(text: &str) -> Result<String, String> {
    let refuse = || format!("{text:?} is no date as 22/11/2026 or 2026-11-22");
    let parts: Vec<&str> = text.split(['/', '-']).collect();
    let (([day, month, year], '/') | ([year, month, day], '-')) =
        (parts.as_slice(), if text.contains('/') { '/' } else { '-' })
    else {
        return Err(refuse());
    };
    let number = |part: &str| part.parse::<u32>().map_err(|_| refuse());
    Ok(format!("{:04}-{:02}-{:02}", number(year)?, number(month)?, number(day)?))
}

fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, mut chars) = (Vec::new(), query.chars().peekable());
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(tokens);
        }
        let mut token = Token { taken_away: false, filter: None, values: vec![String::new()] };
        token.taken_away = chars.next_if(|c| matches!(c, '-' | '!')).is_some();
        let mut in_quotes = false;
        while let Some(c) = chars.next_if(|c| in_quotes || !c.is_whitespace()) {
            take(&mut token, c, &mut in_quotes, &mut chars)?;
        }
        if in_quotes {
            return Err("a quote is never closed".to_owned());
        }
        tokens.push(token);
    }
}

fn take(
    token: &mut Token,
    c: char,
    in_quotes: &mut bool,
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<(), String> {
    let is_first = token.values.len() == 1;
    let Some(last) = token.values.last_mut() else { return Ok(()) };
    match c {
        '"' => *in_quotes = !*in_quotes,
        '\\' if *in_quotes => last.push(chars.next().ok_or("nothing follows the last backslash")?),
        ':' if !*in_quotes && token.filter.is_none() && is_first && is_name(last) => {
            token.filter = Some(std::mem::take(last).to_ascii_lowercase());
        }
        ',' if !*in_quotes && token.filter.is_some() => token.values.push(String::new()),
        c => last.push(c),
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_become_fields() {
        for (theirs, ours) in [
            ("", ""),
            ("nginx", "\"nginx\""),
            ("port:80,443 country:JP", "(port:80 OR port:443) country:JP"),
            ("asn:AS64500", "as:64500"),
            ("org:\"Example K.K.\"", "operator:*Example\\ K.K.*"),
            ("-port:22 \"login page\"", "-(port:22) \"login page\""),
            ("ssl.cert.expired:true has_ssl:false", "cert.expires:<0d -has:tls"),
            ("after:22/11/2026 before:2026-12-01", "seen:>=2026-11-22 seen:<2026-12-01"),
            ("product:a\"b c\"", "product:*ab\\ c*"),
            ("hostname:example.jp", "cert.subject:\"example.jp\""),
            ("ssl.version:tlsv1.2", "tls.version:1.2"),
            ("net:192.0.2.0/24,198.51.100.0/24", "(net:192.0.2.0/24 OR net:198.51.100.0/24)"),
        ] {
            assert_eq!(translate(theirs).as_deref(), Ok(ours), "{theirs}");
        }
    }

    #[test]
    fn nothing_gets_out_of_a_value() {
        for hostile in ["x OR tlp:red", "x) OR (tlp:red", "*", "a\\", "x\" OR has:closed OR \""] {
            let query = format!("product:\"{}\"", hostile.replace('\\', "\\\\").replace('"', "\\\""));
            let ours = translate(&query).expect("understood");
            assert_eq!(ours.matches("OR").count(), ours.matches("\\ OR\\ ").count(), "{ours}");
        }
    }

    #[test]
    fn what_there_is_nothing_for_is_refused_by_name() {
        for (query, word) in [
            ("vuln:CVE-2021-20090", "vuln"),
            ("has_screenshot:true", "has_screenshot"),
            ("has_ssl:maybe", "true or false"),
            ("after:yesterday", "no date"),
            ("port:", "no value"),
            ("\"open", "never closed"),
        ] {
            assert!(translate(query).expect_err(query).contains(word), "{query}");
        }
    }
}
