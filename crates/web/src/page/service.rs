//! One service as the pages show it: everything from outside already made visible.

use hinomi_model::{Service, Timestamp, Transport};

use crate::chart::Family;
use crate::link;
use crate::moment;
use crate::seen::Seen;
use crate::tags;
use crate::words::Words;

/// A tag with what it means.
pub(crate) struct TagView {
    pub(crate) label: Seen,
    pub(crate) why: String,
    pub(crate) href: String,
    pub(crate) alarm: bool,
}

impl TagView {
    pub(crate) fn new(words: &Words, name: &str) -> Self {
        let known = tags::known(name);
        let label = words.find("tag-", name).map_or_else(|| Seen::word(name), |label| Seen::word(&label));
        let query = known.map_or_else(|| link::term("tag", name), |tag| tag.query.to_owned());
        let why = words.find("tag-why-", name).unwrap_or_default();
        Self { label, why, href: link::search(&query), alarm: tags::is_alarm(name) }
    }
}

/// A service in a list.
pub(crate) struct ServiceView {
    pub(crate) address: String,
    pub(crate) host_href: String,
    /// As `443/tcp`; also its anchor on the host page.
    pub(crate) port: String,
    pub(crate) anchor: String,
    pub(crate) protocol: Option<String>,
    pub(crate) tls: bool,
    pub(crate) tls_version: Option<Seen>,
    pub(crate) family: &'static str,
    pub(crate) kind: Option<String>,
    pub(crate) vendor: Option<Seen>,
    pub(crate) product: Option<Seen>,
    pub(crate) version: Option<Seen>,
    /// Absent where the product is the model.
    pub(crate) model: Option<Seen>,
    pub(crate) firmware: Option<Seen>,
    pub(crate) os: Option<Seen>,
    pub(crate) title: Option<Seen>,
    /// Absent where there is nothing to read in it.
    pub(crate) summary: Option<Seen>,
    pub(crate) confidence: u8,
    pub(crate) tags: Vec<TagView>,
    pub(crate) first_seen: String,
    pub(crate) last_seen: String,
    pub(crate) last_seen_ago: String,
    pub(crate) sensor: Seen,
    pub(crate) cpe: Vec<Seen>,
    pub(crate) hassh: Option<Seen>,
    pub(crate) host_key: Option<Seen>,
}

/// A port as it is shown. What others say of a host has none.
pub(crate) fn port(words: &Words, port: u16, transport: Transport) -> String {
    if port == 0 { words.say("service-host") } else { format!("{port}/{transport}") }
}

fn word(text: Option<&String>) -> Option<Seen> {
    text.map(|text| Seen::word(text)).filter(|seen| !seen.is_empty())
}

impl ServiceView {
    pub(crate) fn new(words: &Words, now: Timestamp, service: &Service) -> Self {
        let (key, facts) = (&service.key, &service.facts);
        let line = |text: Option<&String>| text.map(|text| Seen::line(text)).filter(|seen| !seen.is_empty());
        Self {
            address: key.address.to_string(),
            host_href: link::host(key.address),
            port: port(words, key.port, key.transport),
            anchor: format!("{}-{}", key.transport, key.port),
            protocol: facts.protocol.as_ref().map(ToString::to_string),
            tls: facts.tls,
            tls_version: word(facts.tls_version.as_ref()),
            family: Family::of(facts.kind).name(),
            kind: facts.kind.and_then(|kind| words.find("kind-", kind.name())),
            vendor: word(facts.vendor.as_ref()),
            product: word(facts.product.as_ref()),
            version: word(facts.version.as_ref()),
            model: word(facts.model.as_ref().filter(|model| facts.product.as_ref() != Some(*model))),
            firmware: word(facts.firmware.as_ref()),
            os: word(facts.os.as_ref()),
            title: line(facts.title.as_ref()),
            summary: line(facts.summary.as_ref().filter(|summary| summary.contains(char::is_alphanumeric))),
            confidence: facts.confidence.as_percent(),
            tags: tags::standing_out(service, now).iter().map(|tag| TagView::new(words, tag)).collect(),
            first_seen: moment::minute(service.first_seen),
            last_seen: moment::minute(service.last_seen),
            last_seen_ago: moment::relative(words, now, service.last_seen),
            sensor: Seen::word(&service.sensor),
            cpe: facts.cpe.iter().take(8).map(|cpe| Seen::line(cpe)).collect(),
            hassh: word(facts.hassh.as_ref()),
            host_key: word(facts.host_key.as_ref()),
        }
    }

    /// Maker, product and version in one line; empty when none is known.
    pub(crate) fn name(&self) -> String {
        let vendor = self.vendor.as_ref().filter(|vendor| !self.repeats(vendor));
        let parts = [vendor, self.product.as_ref(), self.version.as_ref()];
        let parts: Vec<_> = parts.into_iter().flatten().map(Seen::as_str).collect();
        parts.join(" ")
    }

    /// Whether the product's name begins with the maker's.
    fn repeats(&self, vendor: &Seen) -> bool {
        let product = self.product.as_ref().map(|product| product.as_str().to_lowercase());
        product.is_some_and(|product| product.starts_with(&vendor.as_str().to_lowercase()))
    }
}
