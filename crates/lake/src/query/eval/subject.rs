//! One service, as queries see it.

use std::borrow::Cow;
use std::cell::OnceCell;

use hinomi_model::{Facts, Marking, ServiceKey, Timestamp};

use super::super::words::fold;
use super::super::{Class, Field, Trait};
use super::Cut;
use crate::index::directory::Around;
use crate::index::document::{MAX_TEXT_CHARS, MAX_VALUES, MAX_WORD_CHARS, searched_text};

/// A service at some moment: what it said last, and when.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    /// Which service.
    pub(crate) key: ServiceKey,
    /// What its evidence says.
    pub(crate) facts: &'a Facts,
    /// Readable text of the evidence, as [`crate::index::Update::text`].
    pub(crate) text: &'a str,
    /// When it first answered.
    pub(crate) first_seen: Timestamp,
    /// When it last answered.
    pub(crate) last_seen: Timestamp,
    /// Whether it was found closed since.
    pub(crate) closed: bool,
    /// Whether it only pretends.
    pub(crate) pseudo: bool,
    /// Where its address is.
    pub(crate) around: Around<'a>,
    /// Who saw it.
    pub(crate) sensor: &'a str,
    /// Who may know.
    pub(crate) marking: &'a Marking,
    /// What free text searches, cut when first asked for. Starts empty.
    pub(crate) searched: OnceCell<Cut>,
}

impl Subject<'_> {
    /// The words that free text searches: those of the evidence and of the facts.
    pub(crate) fn words(&self) -> &Cut {
        self.searched.get_or_init(|| Cut::new(&self.searched_text()))
    }

    /// The text that free text searches.
    pub(crate) fn searched_text(&self) -> String {
        searched_text(self.text, self.facts)
    }

    /// Whether some value of a field fits; values are bounded as in the index.
    pub(crate) fn any(&self, field: Field, fits: &mut dyn FnMut(&str) -> bool) -> bool {
        let class = field.info().class;
        let (one, many) = self.values(field);
        let mut all = one.into_iter().chain(many.iter().take(MAX_VALUES).map(String::as_str));
        all.any(|value| {
            let value = clipped(value, class);
            !value.is_empty() && fits(&value)
        })
    }

    /// The values of a field: one, or several.
    fn values(&self, field: Field) -> (Option<&str>, &[String]) {
        let facts = self.facts;
        let one = match field {
            Field::Transport => Some(self.key.transport.name()),
            Field::Protocol => facts.protocol.as_ref().map(|protocol| protocol.as_str()),
            Field::Vendor => facts.vendor.as_deref(),
            Field::Product => facts.product.as_deref(),
            Field::Version => facts.version.as_deref(),
            Field::Model => facts.model.as_deref(),
            Field::Firmware => facts.firmware.as_deref(),
            Field::Kind => facts.kind.map(hinomi_model::DeviceKind::name),
            Field::Os => facts.os.as_deref(),
            Field::Cpe => return (None, &facts.cpe),
            Field::Tag => return (None, &facts.tags),
            Field::Title => facts.title.as_deref(),
            Field::Tls => facts.tls_version.as_deref(),
            Field::Hassh => facts.hassh.as_deref(),
            Field::HostKey => facts.host_key.as_deref(),
            Field::Country => self.around.country,
            Field::Operator => self.around.operator,
            Field::Prefecture => self.around.prefecture,
            Field::Sensor => Some(self.sensor),
            Field::Tlp => Some(self.marking.tlp.label().trim_start_matches("TLP:")),
            Field::Purpose => Some(self.marking.purpose.name()),
            other => return self.values_of_cryptography(other),
        };
        (one, &[])
    }

    fn values_of_cryptography(&self, field: Field) -> (Option<&str>, &[String]) {
        let (certificate, crypto) = (self.facts.certificate.as_ref(), self.facts.crypto.as_ref());
        let one = match field {
            Field::CertSubject => certificate.map(|certificate| certificate.subject.as_str()),
            Field::CertIssuer => certificate.map(|certificate| certificate.issuer.as_str()),
            Field::CertKey => certificate.map(|certificate| certificate.key.as_str()),
            Field::CertSignature => certificate.map(|certificate| certificate.signature.as_str()),
            Field::TlsGroup => crypto.and_then(|crypto| crypto.group.as_deref()),
            Field::TlsCipher => crypto.and_then(|crypto| crypto.cipher.as_deref()),
            Field::SshKey => crypto.and_then(|crypto| crypto.host_key.as_deref()),
            Field::Pq => crypto.and_then(|crypto| crypto.post_quantum).map(hinomi_model::PostQuantum::name),
            _ => None,
        };
        let many = crypto.map_or(&[][..], |crypto| match field {
            Field::TlsVersion => &crypto.versions,
            Field::SshKex => &crypto.kex,
            Field::SshCipher => &crypto.ciphers,
            Field::SshMac => &crypto.macs,
            Field::Weak => &crypto.weak,
            _ => &[],
        });
        (one, many)
    }

    /// The number of a field.
    pub(crate) fn number(&self, field: Field) -> Option<u64> {
        match field {
            Field::Port => Some(u64::from(self.key.port)),
            Field::As => self.around.asn.map(u64::from),
            Field::Confidence => Some(u64::from(self.facts.confidence.as_percent())),
            _ => None,
        }
    }

    /// The time of a field, in microseconds.
    pub(crate) fn time(&self, field: Field) -> Option<i64> {
        match field {
            Field::Seen => Some(self.last_seen.as_micros()),
            Field::First => Some(self.first_seen.as_micros()),
            Field::CertExpires => self.facts.certificate.as_ref().map(|certificate| certificate.not_after.as_micros()),
            _ => None,
        }
    }

    /// Whether something is known or true.
    pub(crate) fn has(&self, wanted: Trait) -> bool {
        match wanted {
            Trait::Closed => self.closed,
            Trait::Pseudo => self.pseudo,
            Trait::Tls => self.facts.tls || self.facts.tls_version.is_some(),
            Trait::Certificate => self.facts.certificate.is_some(),
            Trait::As => self.around.asn.is_some(),
            known => Field::named(known.name()).is_some_and(|info| self.any(info.field, &mut |_| true)),
        }
    }
}

/// A value as the index holds it.
fn clipped(value: &str, class: Class) -> Cow<'_, str> {
    let most = if class == Class::Text { MAX_TEXT_CHARS } else { MAX_WORD_CHARS };
    if value.len() <= most && !value.contains('\0') {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.chars().filter(|c| *c != '\0').take(most).collect())
}

/// A value, folded; as it is where that changes nothing.
pub(crate) fn folded(value: &str) -> Cow<'_, str> {
    let plain = value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if plain { Cow::Borrowed(value) } else { Cow::Owned(fold(value)) }
}
