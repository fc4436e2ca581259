//! What one rule says of one service, before rules are weighed against each other.

use std::borrow::Cow;

use hinomi_model::{DeviceKind, Evidence, EvidenceKind, Proof, Protocol};
use hinomi_wire::Field;

/// One piece of evidence with its named parts: what rules look at.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// How the bytes were read.
    pub kind: EvidenceKind,
    /// The evidence itself.
    pub bytes: &'a [u8],
    /// Its parts.
    pub fields: Vec<Field<'a>>,
}

impl<'a> View<'a> {
    /// Evidence, read.
    pub fn read(evidence: &'a Evidence) -> Self {
        let bytes = evidence.bytes.as_slice();
        Self { kind: evidence.kind, bytes, fields: hinomi_wire::fields(evidence.kind, bytes) }
    }

    /// The first field of a name.
    pub fn field(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Where a finding comes from; of two that are equally sure, the later one gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A rule of the user's in our own format.
    User,
    /// A rule built into the program.
    Builtin,
    /// A Recog fingerprint.
    Recog,
    /// Somebody else's scan.
    Claim,
}

impl Origin {
    /// Whoever stands in a later tier gives way, however sure: only a confidence of our own format can be compared.
    pub(crate) const fn tier(self) -> u8 {
        match self {
            Self::User | Self::Builtin => 0,
            Self::Recog => 1,
            Self::Claim => 2,
        }
    }
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) origin: Origin,
    pub(crate) confidence: u8,
    pub(crate) vendor: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) firmware: Option<String>,
    pub(crate) kind: Option<DeviceKind>,
    pub(crate) os: Option<String>,
    pub(crate) cpe: Vec<String>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) tags: Vec<String>,
    pub(crate) proof: Proof,
}

impl Found {
    /// Something found that says nothing yet.
    pub(crate) fn new(origin: Origin, confidence: u8, proof: Proof) -> Self {
        Self {
            origin,
            confidence,
            vendor: None,
            product: None,
            version: None,
            model: None,
            firmware: None,
            kind: None,
            os: None,
            cpe: Vec::new(),
            protocol: None,
            tags: Vec::new(),
            proof,
        }
    }

    /// Whether it names a device rather than software that runs on many.
    pub(crate) fn is_device(&self) -> bool {
        let thing = self.kind.is_some_and(|kind| kind != DeviceKind::Server);
        self.origin != Origin::Claim && (thing || self.model.is_some() || self.firmware.is_some())
    }
}

/// The proof that bytes `start..end` of a field's value are what `rule` matched. Where the value stands in the evidence
/// as it is, the span is exact; a computed value is proved by all the bytes it was computed from.
pub(crate) fn proof(rule: &str, view: &View<'_>, field: &Field<'_>, start: usize, end: usize) -> Proof {
    let verbatim = view
        .bytes
        .get(field.span.start..)
        .is_some_and(|rest| field.value.len() <= field.span.len() && rest.starts_with(&field.value));
    let (from, to) = match verbatim {
        true => (field.span.start + start, field.span.start + end),
        false => (field.span.start, field.span.end),
    };
    let place = |at: usize| u32::try_from(at.min(view.bytes.len())).unwrap_or(u32::MAX);
    let (from, to) = (place(from), place(to));
    Proof {
        rule: rule.to_owned(),
        field: Cow::to_owned(&field.name).into_owned(),
        evidence: view.kind,
        start: from.min(to),
        end: to,
    }
}
