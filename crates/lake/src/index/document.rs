//! From what a sighting says to the terms and columns of a row.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::slice;

use hinomi_model::address::to_u128;
use hinomi_model::facts::version_key;
use hinomi_model::sighting::content_of;
use hinomi_model::{ContentHash, EvidenceKind, EvidenceRef, Facts, Marking, PostQuantum, ServiceKey, Transport};
use tantivy::TantivyDocument;
use tantivy::schema::Field as Column;

use super::Update;
use super::directory::Said;
use super::schema::{Columns, Shown, State, TextColumns};
use super::standing::network_bytes;
use crate::query::words::{Cutter, GAP, LeftOut, fold};
use crate::query::{Class, Field, Trait};

/// The most characters of a value that is compared whole.
pub(crate) const MAX_WORD_CHARS: usize = 256;
/// The most characters of a value of running text.
pub(crate) const MAX_TEXT_CHARS: usize = 1_024;
/// The most bytes of readable text that are searched.
const MAX_SEARCHED_BYTES: usize = 64 * 1024;
/// The most values of one field that has several.
pub(crate) const MAX_VALUES: usize = 64;

/// Where a row is found.
pub(super) struct Place {
    pub(super) row: u64,
    /// Offset in `facts.bin`; none of a service that never answered.
    pub(super) facts: Option<u64>,
    /// What it says.
    pub(super) said: Said,
    /// Who is shown it.
    pub(super) shown: Shown,
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
fn tlp_value(marking: &Marking) -> String {
    marking.tlp.label().trim_start_matches("TLP:").to_lowercase()
}

/// The evidence's text of a searched text, as far as it was searched.
pub(super) fn text_within<'a>(searched: &'a str, facts: &Facts) -> &'a str {
    let rest = searched.strip_prefix(searched_text("", facts).as_str()).unwrap_or(searched);
    rest.strip_suffix(GAP).unwrap_or(rest)
}

/// What free text searches: the evidence's text and the facts' own words.
pub(crate) fn searched_text(text: &str, facts: &Facts) -> String {
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

/// The values of every text field that the content decides, in no order.
fn content_values(facts: &Facts) -> Vec<(Field, &str)> {
    let (certificate, crypto) = (facts.certificate.as_ref(), facts.crypto.as_ref());
    let single = [
        (Field::Protocol, facts.protocol.as_ref().map(|protocol| protocol.as_str())),
        (Field::Vendor, facts.vendor.as_deref()),
        (Field::Product, facts.product.as_deref()),
        (Field::Version, facts.version.as_deref()),
        (Field::Model, facts.model.as_deref()),
        (Field::Firmware, facts.firmware.as_deref()),
        (Field::Kind, facts.kind.map(hinomi_model::DeviceKind::name)),
        (Field::Os, facts.os.as_deref()),
        (Field::Title, facts.title.as_deref()),
        (Field::Tls, facts.tls_version.as_deref()),
        (Field::CertSubject, certificate.map(|certificate| certificate.subject.as_str())),
        (Field::CertIssuer, certificate.map(|certificate| certificate.issuer.as_str())),
        (Field::CertKey, certificate.map(|certificate| certificate.key.as_str())),
        (Field::CertSignature, certificate.map(|certificate| certificate.signature.as_str())),
        (Field::TlsGroup, crypto.and_then(|crypto| crypto.group.as_deref())),
        (Field::TlsCipher, crypto.and_then(|crypto| crypto.cipher.as_deref())),
        (Field::SshKey, crypto.and_then(|crypto| crypto.host_key.as_deref())),
        (Field::Pq, crypto.and_then(|crypto| crypto.post_quantum).map(PostQuantum::name)),
        (Field::Hassh, facts.hassh.as_deref()),
        (Field::HostKey, facts.host_key.as_deref()),
    ];
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
    let many = lists.flat_map(|(field, values)| values.iter().take(MAX_VALUES).map(move |one| (field, one.as_str())));
    single.into_iter().filter_map(|(field, value)| Some((field, value?))).chain(many).collect()
}

/// What a row says of its own: who saw it, where it is and who may know.
fn own_values<'a>(update: &'a Update, tlp: &'a str) -> Vec<(Field, &'a str)> {
    let all = [
        (Field::Transport, Some(update.key.transport.name())),
        (Field::Operator, update.operator.as_deref()),
        (Field::Country, update.country.as_deref()),
        (Field::Prefecture, update.prefecture.as_deref()),
        (Field::Sensor, Some(update.sensor.as_str())),
        (Field::Tlp, Some(tlp)),
        (Field::Purpose, Some(update.marking.purpose.name())),
    ];
    all.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

/// A value without what the columns use themselves, and not longer than fits.
fn clip(value: &str, class: Class) -> Cow<'_, str> {
    let most = if class == Class::Text { MAX_TEXT_CHARS } else { MAX_WORD_CHARS };
    if value.len() <= most && !value.contains('\0') {
        return value.into();
    }
    value.chars().filter(|c| *c != '\0').take(most).collect::<String>().into()
}

/// Values as columns and terms hold them, and what `has:` knows of them.
#[derive(Debug, Default)]
struct Cooked {
    texts: Vec<(Column, String)>,
    known: Vec<Trait>,
}

impl Cooked {
    /// Of these values, each once.
    fn of(columns: &Columns, values: &[(Field, &str)]) -> Self {
        let mut cooked = Self::default();
        let mut done: Vec<(Field, String)> = Vec::with_capacity(values.len());
        for (field, value) in values {
            let Some(text) = columns.text_of(*field) else { continue };
            let value = clip(value, field.info().class);
            let folded = fold(&value);
            if value.is_empty() || done.iter().any(|(other, told)| other == field && *told == folded) {
                continue;
            }
            cooked.add(text, &value, &folded);
            cooked.knows(*field);
            done.push((*field, folded));
        }
        cooked
    }

    fn add(&mut self, text: &TextColumns, value: &str, folded: &str) {
        self.texts.push((text.whole, folded.to_owned()));
        self.texts.push((text.shown, column_text(folded, value)));
        self.texts.extend(text.key.map(|key| (key, version_key(value))));
        self.texts.extend(text.within.map(|within| (within, value.to_owned())));
    }

    fn knows(&mut self, field: Field) {
        let property = Trait::ALL.iter().find(|(_, name)| *name == field.name() && field != Field::Tls);
        if let Some((property, _)) = property.filter(|(property, _)| !self.known.contains(property)) {
            self.known.push(*property);
        }
    }

    fn add_to(&self, document: &mut TantivyDocument, columns: &Columns) {
        self.texts.iter().for_each(|(column, text)| document.add_text(*column, text));
        self.known.iter().for_each(|known| document.add_text(columns.has, known.name()));
    }

    fn bytes(&self) -> usize {
        self.texts.iter().map(|(_, text)| text.len() + size_of::<(Column, String)>()).sum()
    }
}

/// The numbers that find rows by their evidence, each once; none where the content is one piece, which is found by the
/// content ([`contents_of`]).
fn evidence_numbers(update: &Update) -> Vec<u64> {
    if let [only] = update.evidence.as_slice()
        && content_of(slice::from_ref(only)) == update.content
    {
        return Vec::new();
    }
    let numbers: BTreeSet<u64> = update.evidence.iter().map(|piece| content_number(&piece.hash)).collect();
    numbers.into_iter().take(MAX_VALUES).collect()
}

/// The numbers of the contents that are this piece of evidence and nothing else.
pub(super) fn contents_of(hash: &ContentHash) -> impl Iterator<Item = u64> {
    EvidenceKind::all().map(|kind| content_number(&content_of(&[EvidenceRef { kind, hash: *hash }])))
}

/// What the rows of one content have in common, made once.
#[derive(Debug)]
struct Template {
    cooked: Cooked,
    content: u64,
    /// Of each piece of evidence, where they are several.
    evidence: Vec<u64>,
    confidence: u64,
    expires_micros: Option<i64>,
    left_out: BTreeSet<&'static str>,
    searched: String,
}

impl Template {
    fn of(columns: &Columns, update: &Update) -> Self {
        let facts = &*update.facts;
        let mut cooked = Cooked::of(columns, &content_values(facts));
        let expires_micros = facts.certificate.as_ref().map(|certificate| certificate.not_after.as_micros());
        cooked.known.extend(expires_micros.map(|_| Trait::Certificate));
        cooked.known.extend((facts.tls || facts.tls_version.is_some()).then_some(Trait::Tls));
        let searched = searched_text(&update.text, facts);
        Self {
            cooked,
            content: content_number(&update.content),
            evidence: evidence_numbers(update),
            confidence: u64::from(facts.confidence.as_percent()),
            expires_micros,
            left_out: left_out(&searched),
            searched,
        }
    }

    fn add_to(&self, document: &mut TantivyDocument, columns: &Columns) {
        document.add_u64(columns.content, self.content);
        self.evidence.iter().for_each(|number| document.add_u64(columns.evidence, *number));
        document.add_u64(columns.confidence, self.confidence);
        self.cooked.add_to(document, columns);
        if let Some(expires) = self.expires_micros {
            document.add_i64(columns.expires, expires);
        }
        self.left_out.iter().for_each(|mark| document.add_text(columns.left_out, mark));
        document.add_text(columns.text, &self.searched);
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.cooked.bytes() + self.searched.len() + size_of_val(self.evidence.as_slice())
    }
}

/// The most bytes of what contents have in common, kept.
const MAX_TEMPLATE_BYTES: usize = 32 << 20;

/// What contents have in common, for those told lately: content decides facts as long as a generation stands.
#[derive(Debug, Default)]
pub(super) struct Templates {
    made: HashMap<ContentHash, Template>,
    bytes: usize,
    /// What the last row said of its own: the next one mostly says the same.
    own: (Vec<(Field, String)>, Cooked),
    /// The marking of the last row, and as text.
    marking: Option<(Marking, String)>,
}

impl Templates {
    fn own_of(&mut self, columns: &Columns, update: &Update) -> &Cooked {
        let tlp = tlp_value(&update.marking);
        let values = own_values(update, &tlp);
        let (told, _) = &self.own;
        if !told.iter().map(|(field, value)| (*field, value.as_str())).eq(values.iter().copied()) {
            let cooked = Cooked::of(columns, &values);
            self.own = (values.into_iter().map(|(field, value)| (field, value.to_owned())).collect(), cooked);
        }
        &self.own.1
    }

    /// A marking as its column holds it; one that cannot be written is for nobody.
    fn marking_of(&mut self, marking: &Marking) -> &str {
        if self.marking.as_ref().is_none_or(|(known, _)| known != marking) {
            let text = serde_json::to_string(marking).unwrap_or_default();
            self.marking = Some((marking.clone(), text));
        }
        self.marking.as_ref().map_or("", |(_, text)| text)
    }

    fn of(&mut self, columns: &Columns, update: &Update) -> &Template {
        if self.bytes > MAX_TEMPLATE_BYTES {
            *self = Self::default();
        }
        let bytes = &mut self.bytes;
        self.made.entry(update.content).or_insert_with(|| {
            let template = Template::of(columns, update);
            *bytes += template.bytes();
            template
        })
    }
}

/// The row of a service.
pub(super) fn document(
    columns: &Columns,
    update: &Update,
    state: State,
    place: &Place,
    templates: &mut Templates,
) -> TantivyDocument {
    let mut document = TantivyDocument::default();
    add_identity(&mut document, columns, &update.key, state, place);
    document.add_text(columns.marking, templates.marking_of(&update.marking));
    if state == State::Nothing {
        return document;
    }
    templates.of(columns, update).add_to(&mut document, columns);
    templates.own_of(columns, update).add_to(&mut document, columns);
    if let Some(asn) = update.asn {
        document.add_u64(columns.asn, u64::from(asn));
        document.add_text(columns.has, Trait::As.name());
    }
    if let Some(then) = update.other_then {
        document.add_u64(columns.as_then, then.map_or(0, u64::from));
    }
    update.marking.audience.iter().for_each(|name| document.add_text(columns.audience, name));
    document
}

/// Which sorts of words of a text the index leaves out.
fn left_out(text: &str) -> BTreeSet<&'static str> {
    let (mut cutter, mut word) = (Cutter::new(text), String::new());
    let mut left = BTreeSet::new();
    while cutter.next_into(&mut word).is_some() {
        left.extend(LeftOut::of(&word).map(LeftOut::mark));
    }
    left
}

fn add_identity(document: &mut TantivyDocument, columns: &Columns, key: &ServiceKey, state: State, place: &Place) {
    document.add_bytes(columns.network, &network_bytes(key.address));
    document.add_ip_addr(columns.address, address_v6(key.address));
    document.add_u64(columns.place, place_number(key));
    document.add_u64(columns.port, u64::from(key.port));
    document.add_u64(columns.row, place.row);
    document.add_u64(columns.state, state.number(place.shown));
    document.add_u64(columns.said, place.said.number());
    if let Some(facts) = place.facts {
        document.add_u64(columns.facts, facts);
    }
}

/// An address as the column holds it.
pub(super) fn address_v6(address: IpAddr) -> Ipv6Addr {
    Ipv6Addr::from(to_u128(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_searched_text_that_is_searched_again_is_the_same() {
        let known =
            |subject: String| Facts { product: Some("nginx".to_owned()), title: Some(subject), ..Facts::default() };
        for facts in [Facts::default(), known("a".repeat(40)), known("é".repeat(20_000)), known("b".repeat(70_000))] {
            for text in [String::new(), "220 ready\r\n".to_owned(), "語".repeat(9_000), "c".repeat(80_000)] {
                let searched = searched_text(&text, &facts);
                let within = text_within(&searched, &facts);
                assert!(text.starts_with(within) && searched.len() <= MAX_SEARCHED_BYTES + 64);
                assert_eq!(searched_text(within, &facts), searched);
            }
        }
    }
}
