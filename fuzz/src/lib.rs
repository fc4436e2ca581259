//! What must hold for every codec and any bytes; the targets call these.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;

use hinomi_model::Timestamp;
use hinomi_model::evidence::{Evidence, EvidenceKind};
use hinomi_wire::flow::{Decoder, Kept, Limits};
use hinomi_wire::scans::{self, Format};
use hinomi_wire::{Field, MAX_FIELD_BYTES, MAX_FIELDS, fields, mask};

/// Names and spans: what masking must not change.
type Shape = Vec<(String, Range<usize>)>;

/// Fields are bounded, their spans lie inside; masking keeps length and fields, and masking twice is masking once.
pub fn evidence(kind: EvidenceKind, bytes: &[u8]) {
    let list = fields(kind, bytes);
    bounded(bytes, &list);
    let mut masked = bytes.to_vec();
    mask(kind, &mut masked);
    assert_eq!(masked.len(), bytes.len());
    assert_eq!(shape(&fields(kind, &masked)), shape(&list), "{kind}");
    let mut twice = masked.clone();
    mask(kind, &mut twice);
    assert_eq!(twice, masked, "{kind}");
}

/// The bounds of a list of fields.
pub fn bounded(bytes: &[u8], list: &[Field<'_>]) {
    assert!(list.len() <= MAX_FIELDS);
    for field in list {
        assert!(field.span.start <= field.span.end && field.span.end <= bytes.len(), "{field:?}");
        assert!(field.value.len() <= MAX_FIELD_BYTES, "{}", field.name);
    }
}

/// A scanner's file of any bytes ends, after at most one item a byte, and what it gives can be read.
pub fn scan(format: Format, bytes: &[u8]) {
    let mut ended = false;
    for (count, item) in scans::read(format, bytes).enumerate() {
        assert!(count <= bytes.len() && !ended);
        match item {
            Ok(record) => record.evidence.iter().for_each(readable),
            Err(error) => ended = error.ends_the_file(),
        }
    }
    // The same file gives the same records.
    let again = || scans::read(format, bytes).filter_map(Result::ok);
    assert!(again().eq(again()));
}

/// Datagrams of one protocol, each behind a length of one byte and beginning with its version: every byte is accounted
/// for at every moment, records are in order of time, and limits hold.
pub fn flow_exports(version: &[u8], mut bytes: &[u8]) {
    let kept = Kept { domains: 4, templates: 8, selectors: 4, held_bytes: 4_096 };
    let mut decoder = Decoder::new(Limits { per_exporter: kept, total: kept, ..Limits::default() });
    let mut records = 0_u64;
    let mut second = 0;
    while let Some((&length, rest)) = bytes.split_first() {
        let (body, after) = rest.split_at(rest.len().min(2 * usize::from(length)));
        let exporter = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::from(length % 2)));
        let received = Timestamp::from_micros(second * 700_000_000);
        decoder.decode(exporter, received, &[version, body].concat(), &mut |record| {
            assert!(record.start <= record.end);
            records += 1;
        });
        let now = decoder.kept();
        assert_eq!(decoder.counts().unaccounted(), 0);
        assert!(now.domains <= 4 && now.templates <= 8 && now.selectors <= 4 && now.held_bytes <= 4_096);
        (bytes, second) = (after, second + 1);
    }
    decoder.finish();
    assert_eq!((decoder.counts().records, decoder.counts().held_bytes), (records, 0));
    assert_eq!(decoder.counts().unaccounted(), 0);
}

fn readable(seen: &Evidence) {
    bounded(&seen.bytes, &fields(seen.kind, &seen.bytes));
}

fn shape(list: &[Field<'_>]) -> Shape {
    list.iter().map(|field| (field.name.to_string(), field.span.clone())).collect()
}
