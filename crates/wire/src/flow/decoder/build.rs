//! Messages of exporters that do what a test needs.

/// A set with that id.
pub(super) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 4).expect("a short set");
    [&id.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

/// A template record: id, count and fields of type and length.
pub(super) fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let count = u16::try_from(fields.len()).expect("few fields");
    let fields = fields.iter().flat_map(|(field, length)| [field.to_be_bytes(), length.to_be_bytes()].concat());
    [id.to_be_bytes(), count.to_be_bytes()].concat().into_iter().chain(fields).collect()
}

/// An IPFIX options template record whose first fields are its scope.
pub(super) fn options(id: u16, scopes: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut record = template(id, fields);
    record.splice(4..4, scopes.to_be_bytes());
    record
}

/// A message of NetFlow v9.
pub(super) fn v9(uptime_ms: u32, seconds: u32, number: u32, source: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let words = [uptime_ms, seconds, number, source].map(u32::to_be_bytes);
    [&[0, 9, 0, 1], words.as_flattened(), &sets.concat()].concat()
}

/// A message of IPFIX.
pub(super) fn ipfix(seconds: u32, number: u32, domain: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let length = u16::try_from(16 + sets.len()).expect("a short message");
    let words = [seconds, number, domain].map(u32::to_be_bytes);
    [&[0, 10], &length.to_be_bytes()[..], words.as_flattened(), &sets].concat()
}

/// A message of NetFlow v5 with flows from 192.0.2.1 to 198.51.100.2.
pub(super) fn v5(uptime_ms: u32, seconds: u32, number: u32, count: u16) -> Vec<u8> {
    let mut record = [0; 48];
    record[..8].copy_from_slice(&[192, 0, 2, 1, 198, 51, 100, 2]);
    record[24..28].copy_from_slice(&uptime_ms.to_be_bytes());
    record[28..32].copy_from_slice(&uptime_ms.to_be_bytes());
    let words = [uptime_ms, seconds, 0, number, 0].map(u32::to_be_bytes);
    let records = record.repeat(usize::from(count));
    [&[0, 5], &count.to_be_bytes()[..], words.as_flattened(), &records].concat()
}
