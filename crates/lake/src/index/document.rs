//! From what a sighting says to the terms and columns of a row.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use hinomi_model::address::to_u128;
use hinomi_model::facts::version_key;
use hinomi_model::{CertificateFacts, Facts, Marking, PostQuantum, ServiceKey, Transport};
use tantivy::TantivyDocument;

use super::Update;
use super::schema::{Columns, State};
use super::times::Seen;
use crate::query::words::{Cutter, GAP, LeftOut, fold};
use crate::query::{Class, Field, Trait};

/// The most characters of a value that is compared whole.
const MAX_WORD_CHARS: usize = 256;
/// The most characters of a value of running text.
const MAX_TEXT_CHARS: usize = 1_024;
/// The most bytes of readable text that are searched.
const MAX_SEARCHED_BYTES: usize = 64 * 1024;
/// The most values of one field that has several.
const MAX_VALUES: usize = 64;

/// Where a row is found.
pub(super) struct Place {
    pub(super) row: u64,
    /// Offset in `facts.bin`; none of a service that never answered.
    pub(super) facts: Option<u64>,
}

/// The bytes that name a service and sort as (address, port, transport).
pub(super) fn key_bytes(key: &ServiceKey) -> [u8; 19] {
    let mut bytes = [0; 19];
    let parts = to_u128(key.address).to_be_bytes().into_iter().chain(key.port.to_be_bytes());
    let parts = parts.chain([u8::from(key.transport == Transport::Udp)]);
    bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    bytes
}

/// Port and transport as one number that sorts.
pub(super) fn place_number(key: &ServiceKey) -> u64 {
    u64::from(key.port) * 2 + u64::from(key.transport == Transport::Udp)
}

/// The number that finds rows of the same content.
pub(super) fn content_number(content: &hinomi_model::ContentHash) -> u64 {
    content.as_bytes().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// A value as its column holds it: folded, and the value itself behind a zero where that differs. So equal values in
/// other letters lie side by side, and what is shown is what was seen.
pub(super) fn column_text(folded: &str, value: &str) -> String {
    if folded == value { folded.to_owned() } else { format!("{folded}\0{value}") }
}

/// The folded value and the shown value of a column.
pub(super) fn split_column_text(text: &str) -> (&str, &str) {
    text.split_once('\0').unwrap_or((text, text))
}

/// A label as the query language writes it.
pub(super) fn tlp_value(marking: &Marking) -> String {
    marking.tlp.label().trim_start_matches("TLP:").to_lowercase()
}

/// What free text searches: the evidence's text and the facts' own words.
pub(super) fn searched_text(text: &str, facts: &Facts) -> String {
    let mut all = String::with_capacity(text.len().min(MAX_SEARCHED_BYTES) + 128);
    let mut add = |part: &str| {
        if !part.is_empty() && all.len() < MAX_SEARCHED_BYTES {
            let room = MAX_SEARCHED_BYTES - all.len();
            all.push_str(part.get(..part.floor_char_boundary(room)).unwrap_or_default());
            all.push(GAP);
        }
    };
    let known = [&facts.vendor, &facts.product, &facts.version, &facts.model, &facts.firmware, &facts.os];
    known.into_iter().flatten().for_each(|part| add(part));
    [&facts.title, &facts.summary].into_iter().flatten().for_each(|part| add(part));
    if let Some(protocol) = &facts.protocol {
        add(protocol.as_str());
    }
    if let Some(kind) = facts.kind {
        add(kind.name());
    }
    if let Some(certificate) = &facts.certificate {
        add(&certificate.subject);
        add(&certificate.issuer);
        certificate.names.iter().take(MAX_VALUES).for_each(|name| add(name));
    }
    facts.tags.iter().take(MAX_VALUES).for_each(|tag| add(tag));
    add(text);
    all
}

/// The values of every text field, in no order.
fn text_values(update: &Update) -> Vec<(Field, String)> {
    let facts = &*update.facts;
    let (certificate, crypto) = (facts.certificate.as_ref(), facts.crypto.as_ref());
    let one = |field: Field, value: Option<&str>| value.map(|value| (field, value.to_owned()));
    let single = [
        one(Field::Transport, Some(update.key.transport.name())),
        one(Field::Protocol, facts.protocol.as_ref().map(|protocol| protocol.as_str())),
        one(Field::Vendor, facts.vendor.as_deref()),
        one(Field::Product, facts.product.as_deref()),
        one(Field::Version, facts.version.as_deref()),
        one(Field::Model, facts.model.as_deref()),
        one(Field::Firmware, facts.firmware.as_deref()),
        one(Field::Kind, facts.kind.map(hinomi_model::DeviceKind::name)),
        one(Field::Os, facts.os.as_deref()),
        one(Field::Title, facts.title.as_deref()),
        one(Field::Tls, facts.tls_version.as_deref()),
        one(Field::CertSubject, certificate.map(|certificate| certificate.subject.as_str())),
        one(Field::CertIssuer, certificate.map(|certificate| certificate.issuer.as_str())),
        one(Field::CertKey, certificate.map(|certificate| certificate.key.as_str())),
        one(Field::CertSignature, certificate.map(|certificate| certificate.signature.as_str())),
        one(Field::TlsGroup, crypto.and_then(|crypto| crypto.group.as_deref())),
        one(Field::TlsCipher, crypto.and_then(|crypto| crypto.cipher.as_deref())),
        one(Field::SshKey, crypto.and_then(|crypto| crypto.host_key.as_deref())),
        one(Field::Pq, crypto.and_then(|crypto| crypto.post_quantum).map(PostQuantum::name)),
        one(Field::Hassh, facts.hassh.as_deref()),
        one(Field::HostKey, facts.host_key.as_deref()),
        one(Field::Country, update.country.as_deref()),
        one(Field::Sensor, Some(update.sensor.as_str())),
        one(Field::Tlp, Some(&tlp_value(&update.marking))),
        one(Field::Purpose, Some(update.marking.purpose.name())),
    ];
    let many = |field: Field, values: &[String]| -> Vec<(Field, String)> {
        values.iter().take(MAX_VALUES).map(|value| (field, value.clone())).collect()
    };
    let mut all: Vec<_> = single.into_iter().flatten().collect();
    let lists = [(Field::Cpe, &facts.cpe), (Field::Tag, &facts.tags)];
    let of_crypto = crypto.map(|crypto| {
        [
            (Field::TlsVersion, &crypto.versions),
            (Field::SshKex, &crypto.kex),
            (Field::SshCipher, &crypto.ciphers),
            (Field::SshMac, &crypto.macs),
            (Field::Weak, &crypto.weak),
        ]
    });
    let lists = lists.into_iter().chain(of_crypto.into_iter().flatten());
    all.extend(lists.flat_map(|(field, values)| many(field, values)));
    all
}

/// A value without what the columns use themselves, and not longer than fits.
fn clip(value: String, class: Class) -> String {
    let most = if class == Class::Text { MAX_TEXT_CHARS } else { MAX_WORD_CHARS };
    if value.len() <= most && !value.contains('\0') {
        return value;
    }
    value.chars().filter(|c| *c != '\0').take(most).collect()
}

/// The row of a service.
pub(super) fn document(columns: &Columns, update: &Update, state: State, seen: Seen, place: &Place) -> TantivyDocument {
    let mut document = TantivyDocument::default();
    add_identity(&mut document, columns, &update.key, state, seen, place);
    if state == State::Nothing {
        return document;
    }
    document.add_u64(columns.content, content_number(&update.content));
    let mut known = add_texts(&mut document, columns, update);
    let facts = &*update.facts;
    document.add_u64(columns.confidence, u64::from(facts.confidence.as_percent()));
    if let Some(asn) = update.asn {
        document.add_u64(columns.asn, u64::from(asn));
        known.push(Trait::As);
    }
    if let Some(CertificateFacts { not_after, .. }) = &facts.certificate {
        document.add_i64(columns.expires, not_after.as_micros());
        known.push(Trait::Certificate);
    }
    if facts.tls || facts.tls_version.is_some() {
        known.push(Trait::Tls);
    }
    known.into_iter().for_each(|known| document.add_text(columns.has, known.name()));
    update.marking.audience.iter().for_each(|name| document.add_text(columns.audience, name));
    add_searched(&mut document, columns, &searched_text(&update.text, facts));
    document
}

fn add_identity(
    document: &mut TantivyDocument,
    columns: &Columns,
    key: &ServiceKey,
    state: State,
    seen: Seen,
    place: &Place,
) {
    document.add_bytes(columns.key, &key_bytes(key));
    document.add_ip_addr(columns.address, address_v6(key.address));
    document.add_u64(columns.place, place_number(key));
    document.add_u64(columns.port, u64::from(key.port));
    document.add_u64(columns.row, place.row);
    document.add_u64(columns.state, state as u64);
    let times = [(columns.born, seen.first), (columns.seen, seen.last), (columns.closed, seen.closed)];
    for (column, time) in times {
        if let Some(time) = time {
            document.add_i64(column, time);
        }
    }
    if let Some(facts) = place.facts {
        document.add_u64(columns.facts, facts);
    }
}

/// Adds the values of text fields, each once; gives what `has:` then knows.
fn add_texts(document: &mut TantivyDocument, columns: &Columns, update: &Update) -> Vec<Trait> {
    let mut done: Vec<(Field, String)> = Vec::new();
    let mut known = Vec::new();
    for (field, value) in text_values(update) {
        let Some(text) = columns.text_of(field) else { continue };
        let value = clip(value, field.info().class);
        let folded = fold(&value);
        if value.is_empty() || done.iter().any(|(other, told)| *other == field && *told == folded) {
            continue;
        }
        document.add_text(text.whole, &folded);
        document.add_text(text.shown, column_text(&folded, &value));
        if let Some(key) = text.key {
            document.add_text(key, version_key(&value));
        }
        if let Some(within) = text.within {
            document.add_text(within, &value);
        }
        let property = Trait::ALL.iter().find(|(_, name)| *name == field.name() && field != Field::Tls);
        if let Some((property, _)) = property.filter(|(property, _)| !known.contains(property)) {
            known.push(*property);
        }
        done.push((field, folded));
    }
    known
}

fn add_searched(document: &mut TantivyDocument, columns: &Columns, text: &str) {
    let (mut cutter, mut word) = (Cutter::new(text), String::new());
    let mut left = BTreeSet::new();
    while cutter.next_into(&mut word).is_some() {
        left.extend(LeftOut::of(&word).map(LeftOut::mark));
    }
    left.into_iter().for_each(|mark| document.add_text(columns.left_out, mark));
    document.add_text(columns.text, text);
}

/// An address as the column holds it.
pub(super) fn address_v6(address: IpAddr) -> Ipv6Addr {
    Ipv6Addr::from(to_u128(address))
}
