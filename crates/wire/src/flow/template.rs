//! Template records as they stand in a set: NetFlow v9 (RFC 3954 sections 5.2, 6.1), IPFIX (RFC 7011 section 3.4).

use crate::read::Reader;

use super::books::Books;
use super::counts::Reason;
use super::exporter::DomainKey;
use super::field::FieldSpec;

/// Template ids begin here.
pub(super) const FIRST_ID: u16 = 256;
/// Set in the field's number where an enterprise number follows (IPFIX).
const ENTERPRISE: u16 = 0x8000;
/// NetFlow v9's scope of an interface, and the field that tells an interface elsewhere.
const SCOPE_INTERFACE: u16 = 2;
const INTERFACE: u16 = 10;

/// A template record.
#[derive(Debug)]
pub(super) struct Found {
    /// Of the template.
    pub id: u16,
    /// How long the record is.
    pub bytes: usize,
    /// What it says.
    pub content: Content,
}

/// What a template record says.
#[derive(Debug)]
pub(super) enum Content {
    /// The template is no more.
    Withdrawn,
    /// The fields, now in [`Books::specs`].
    Fields,
    /// Nothing that we take.
    Refused(Reason),
}

/// The next template of a set; none when what remains is no template.
pub(super) fn next(rest: &[u8], key: DomainKey, options: bool, books: &mut Books) -> Option<Found> {
    let mut reader = Reader::new(rest);
    let id = reader.u16("template id").ok()?;
    let ipfix = matches!(key, DomainKey::Ipfix(_));
    let shape = if ipfix { ipfix_shape(&mut reader, options)? } else { v9_shape(&mut reader, options)? };
    if ipfix && shape.fields == 0 {
        let known = id >= FIRST_ID || id == 2 + u16::from(options);
        return known.then(|| Found { id, bytes: reader.at(), content: Content::Withdrawn });
    }
    if id < FIRST_ID {
        return None;
    }
    books.specs.clear();
    let most = books.limits.fields_per_template;
    for index in 0..shape.fields {
        let spec = field(&mut reader, index < shape.scopes, ipfix)?;
        if books.specs.len() < most {
            books.specs.push(spec);
        }
    }
    let content = match shape.refusal {
        Some(reason) => Content::Refused(reason),
        None if shape.fields > most => Content::Refused(Reason::TooManyFields),
        None => Content::Fields,
    };
    Some(Found { id, bytes: reader.at(), content })
}

struct Shape {
    fields: usize,
    scopes: usize,
    refusal: Option<Reason>,
}

fn ipfix_shape(reader: &mut Reader<'_>, options: bool) -> Option<Shape> {
    let fields = usize::from(reader.u16("field count").ok()?);
    let scopes = if options && fields > 0 { usize::from(reader.u16("scope count").ok()?) } else { 0 };
    let refusal = (scopes > fields).then_some(Reason::BadTemplate);
    Some(Shape { fields, scopes, refusal })
}

/// Options templates count the bytes of scopes and fields, flow templates the fields.
fn v9_shape(reader: &mut Reader<'_>, options: bool) -> Option<Shape> {
    let first = usize::from(reader.u16("field count").ok()?);
    if !options {
        return Some(Shape { fields: first, scopes: 0, refusal: None });
    }
    let bytes = usize::from(reader.u16("option length").ok()?);
    let refusal = (first % 4 != 0 || bytes % 4 != 0).then_some(Reason::BadTemplate);
    Some(Shape { fields: (first + bytes) / 4, scopes: first / 4, refusal })
}

fn field(reader: &mut Reader<'_>, scope: bool, ipfix: bool) -> Option<FieldSpec> {
    let number = reader.u16("field").ok()?;
    let length = reader.u16("field length").ok()?;
    if ipfix && number & ENTERPRISE != 0 {
        let enterprise = reader.u32("enterprise number").ok()?;
        return Some(FieldSpec { enterprise, id: number & !ENTERPRISE, length });
    }
    // Scopes of NetFlow v9 have numbers of their own; 0 is no field that means anything.
    let id = match (scope && !ipfix, number) {
        (false, number) => number,
        (true, SCOPE_INTERFACE) => INTERFACE,
        (true, _) => 0,
    };
    Some(FieldSpec { enterprise: 0, id, length })
}
