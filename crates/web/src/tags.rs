//! What stands out about a service: the tags that rules give, and what only a clock can tell.
//!
//! Stored facts know no clock, so whether a certificate has expired is decided here, at the moment of looking.

use hinomi_model::{Service, Timestamp};

/// The word for a certificate whose time is over. Not stored: see the module.
pub const EXPIRED: &str = "expired";

/// A tag that the pages can explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTag {
    /// As stored and searched.
    pub name: &'static str,
    /// Whether it makes a host stand out on the map.
    pub alarm: bool,
    /// The query that finds it.
    pub query: &'static str,
}

/// Every tag that has a text, most pressing first.
pub const KNOWN_TAGS: &[KnownTag] = &[
    KnownTag { name: "infected", alarm: true, query: "tag:infected" },
    KnownTag { name: "compromised", alarm: true, query: "tag:compromised" },
    KnownTag { name: "telnet-open", alarm: true, query: "tag:telnet-open" },
    KnownTag { name: "anonymous", alarm: true, query: "tag:anonymous" },
    KnownTag { name: EXPIRED, alarm: true, query: "cert.expires:<0d" },
    KnownTag { name: "recursion", alarm: true, query: "tag:recursion" },
    KnownTag { name: "old-tls", alarm: false, query: "tag:old-tls" },
    KnownTag { name: "self-signed", alarm: false, query: "tag:self-signed" },
    KnownTag { name: "malformed", alarm: false, query: "tag:malformed" },
];

/// What is known of a tag.
pub fn known(name: &str) -> Option<&'static KnownTag> {
    KNOWN_TAGS.iter().find(|tag| tag.name == name)
}

/// Everything that stands out about a service at this moment, most pressing first.
pub fn standing_out(service: &Service, now: Timestamp) -> Vec<String> {
    let mut tags = service.facts.tags.clone();
    let expired = service.facts.certificate.as_ref().is_some_and(|certificate| certificate.not_after < now);
    if expired && !tags.iter().any(|tag| tag == EXPIRED) {
        tags.push(EXPIRED.to_owned());
    }
    tags.sort_by_key(|tag| rank(tag));
    tags
}

/// Whether a tag makes a host stand out.
pub fn is_alarm(name: &str) -> bool {
    known(name).is_some_and(|tag| tag.alarm)
}

/// Where a tag stands in [`KNOWN_TAGS`]; unknown ones come last.
pub fn rank(name: &str) -> usize {
    KNOWN_TAGS.iter().position(|tag| tag.name == name).unwrap_or(KNOWN_TAGS.len())
}
