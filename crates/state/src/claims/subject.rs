//! What can be held: a prefix, an AS number, a domain.
//!
//! Each has one spelling: host bits are cleared, IPv4-mapped IPv6 is IPv4, domains are in lower case without a dot at the
//! end (RFC 1123 section 2.1; other scripts as RFC 5890's `xn--`).

use std::fmt;
use std::str::FromStr;

use hinomi_model::address::parse_prefix;
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest domain name and label (RFC 1035 section 2.3.4, as text).
const MAX_DOMAIN_CHARS: usize = 253;
const MAX_LABEL_CHARS: usize = 63;
/// Shorter prefixes than these are decided by a person.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 19;
/// AS numbers that nobody holds (RFC 7607, RFC 6793, RFC 7300).
const NO_AS: [u32; 4] = [0, 23_456, 65_535, u32::MAX];
/// How much of a text that makes no sense is shown.
const SHOWN_CHARS: usize = 80;

/// What can be held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Addresses.
    Prefix(IpNet),
    /// An autonomous system.
    As(u32),
    /// A domain and what is below it.
    Domain(String),
}

/// A text that names nothing that can be held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a prefix as 192.0.2.0/24, an AS number as AS64500 or a domain as example.org: {why}")]
pub struct NotASubject {
    /// What was given, cut.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The one spelling of a prefix: no host bits, IPv4 where IPv6 only maps it.
pub fn canonical(prefix: IpNet) -> IpNet {
    let prefix = prefix.trunc();
    let IpNet::V6(six) = prefix else { return prefix };
    let mapped = six.network().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    let four = mapped.and_then(|(network, length)| Ipv4Net::new(network, length).ok());
    four.map_or(prefix, |four| IpNet::V4(four.trunc()))
}

impl Subject {
    /// Whether so much can be held by a decision of a person only.
    pub fn is_wide(&self) -> bool {
        match self {
            Self::Prefix(IpNet::V4(prefix)) => prefix.prefix_len() < WIDEST_V4,
            Self::Prefix(IpNet::V6(prefix)) => prefix.prefix_len() < WIDEST_V6,
            Self::As(_) => false,
            Self::Domain(name) => !name.contains('.'),
        }
    }

    /// Whether it holds the other and more than that.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prefix(wide), Self::Prefix(narrow)) => wide != narrow && wide.contains(narrow),
            (Self::Domain(wide), Self::Domain(narrow)) => {
                narrow.strip_suffix(wide.as_str()).is_some_and(|front| front.ends_with('.'))
            }
            _ => false,
        }
    }

    /// `prefix`, `as` or `domain`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Prefix(_) => "prefix",
            Self::As(_) => "as",
            Self::Domain(_) => "domain",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::As(number) => write!(f, "AS{number}"),
            Self::Domain(name) => f.write_str(name),
        }
    }
}

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        let refuse = |why| NotASubject { text: text.chars().take(SHOWN_CHARS).collect(), why };
        if text.len() > MAX_DOMAIN_CHARS + 1 {
            return Err(refuse("it is too long"));
        }
        if text.contains(['/', ':']) || text.parse::<std::net::IpAddr>().is_ok() {
            let prefix = parse_prefix(text).map_err(|_| refuse("it is no prefix"))?;
            return Ok(Self::Prefix(canonical(prefix)));
        }
        let number = text.get(..2).filter(|front| front.eq_ignore_ascii_case("as")).and_then(|_| text.get(2..));
        if let Some(number) = number.filter(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())) {
            let number = number.parse().map_err(|_| refuse("AS numbers have 32 bits"))?;
            return if NO_AS.contains(&number) {
                Err(refuse("nobody holds this AS number"))
            } else {
                Ok(Self::As(number))
            };
        }
        domain(text).map(Self::Domain).map_err(refuse)
    }
}

fn domain(text: &str) -> Result<String, &'static str> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if !name.is_ascii() {
        return Err("write a name of another script in its xn-- form");
    }
    let fits = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && (1..=MAX_LABEL_CHARS).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let top_is_a_word = name.rsplit('.').next().is_some_and(|top| !top.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() > MAX_DOMAIN_CHARS || !name.split('.').all(fits) || !top_is_a_word {
        return Err("it is no domain name either");
    }
    Ok(name)
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    #[test]
    fn each_has_one_spelling() {
        for (text, canonical) in [
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.9", "192.0.2.9/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("as64500", "AS64500"),
            ("Example.ORG.", "example.org"),
            ("as.example", "as.example"),
            ("as12x.example", "as12x.example"),
        ] {
            assert_eq!(subject(text).to_string(), canonical);
        }
        for wrong in [
            "",
            ".",
            "a..b",
            "-a.example",
            "a b.example",
            "例え.jp",
            "AS0",
            "AS23456",
            "AS4294967295",
            "AS99999999999",
            "fe80::1%eth0",
            "192.0.2.0/33",
            "1.2.3",
            "*.example.org",
            "a\n.example",
            "ex_ample.org",
        ] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn wide_and_covering() {
        assert!(subject("10.0.0.0/7").is_wide() && !subject("10.0.0.0/8").is_wide());
        assert!(subject("2001::/18").is_wide() && !subject("2001::/19").is_wide());
        assert!(subject("jp").is_wide() && !subject("example.jp").is_wide());
        let covers = |wide: &str, narrow: &str| subject(wide).covers(&subject(narrow));
        assert!(covers("192.0.2.0/24", "192.0.2.128/25") && covers("example.org", "a.b.example.org"));
        assert!(!covers("192.0.2.0/24", "192.0.2.0/24") && !covers("192.0.2.128/25", "192.0.2.0/24"));
        assert!(!covers("example.org", "badexample.org") && !covers("::/0", "192.0.2.0/24"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "\\PC{0,40}") {
            if let Ok(subject) = text.parse::<Subject>() {
                prop_assert_eq!(subject.to_string().parse(), Ok(subject));
            }
        }
    }
}
