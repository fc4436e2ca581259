//! Names and addresses: the questions that a resolver of one's own answers, and what its answers say.
//!
//! Follows RFC 1035 (sections 3.3.12 and 3.5: names of addresses) and RFC 3596 (IPv6). Only answers are read, by type:
//! an alias (RFC 2317 makes them for names of addresses) stands before the record it leads to.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    CLASS_IN, HEADER_BYTES, MAX_NAME_BYTES, RECURSION_DESIRED, Record, Response, TYPE_TXT, header, read_name, text_of,
};
use crate::{Malformed, Reader};

/// An IPv4 address.
pub const KIND_A: u16 = 1;

/// The name of an address.
pub const KIND_PTR: u16 = 12;

/// Text.
pub const KIND_TXT: u16 = TYPE_TXT;

/// An IPv6 address.
pub const KIND_AAAA: u16 = 28;

/// Asks a server to resolve a name to records of a type, recursion desired.
///
/// # Errors
/// When `name` is no domain name: a label empty or over 63 bytes, or more than [`MAX_NAME_BYTES`].
pub fn question(id: u16, name: &str, kind: u16) -> Result<Vec<u8>, Malformed> {
    let mut message = header(id, RECURSION_DESIRED);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length));
        message.push(length.ok_or(Malformed::Invalid { what: "domain name", at: 0 })?);
        message.extend(label.bytes());
    }
    message.push(0);
    if message.len() - HEADER_BYTES > MAX_NAME_BYTES {
        return Err(Malformed::TooMuch { what: "domain name", at: 0, limit: MAX_NAME_BYTES });
    }
    message.extend(kind.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    Ok(message)
}

/// The name under which the name of an address is asked for.
pub fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let mut name = String::new();
            for byte in v6.octets().iter().rev() {
                // Writing into a text does not fail.
                let _ = write!(name, "{:x}.{:x}.", byte & 0xf, byte >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

impl Response<'_> {
    /// The names among the answers, lower case, without the final dot. `message` is what the response was read from.
    pub fn names(&self, message: &[u8]) -> Vec<String> {
        let read = |record: &Record<'_>| {
            // A name may be compressed, so it is read from the start of the message on.
            let mut reader = Reader::new(message);
            reader.take(record.data_at, "DNS name").ok()?;
            read_name(message, &mut reader).ok().filter(|name| !name.is_empty())
        };
        self.of_kind(KIND_PTR).filter_map(read).collect()
    }

    /// The addresses among the answers.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let v4 = self.of_kind(KIND_A).filter_map(|record| {
            let octets: [u8; 4] = record.data.try_into().ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        });
        let v6 = self.of_kind(KIND_AAAA).filter_map(|record| {
            let octets: [u8; 16] = record.data.try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
        });
        v4.chain(v6).collect()
    }

    /// The texts among the answers, the strings of each put together (RFC 7208 section 3.3 reads them so).
    pub fn texts(&self) -> Vec<Vec<u8>> {
        self.of_kind(KIND_TXT).map(|record| text_of(record.data)).collect()
    }

    /// Whether any answer is of this kind.
    pub fn has(&self, kind: u16) -> bool {
        self.of_kind(kind).next().is_some()
    }

    fn of_kind(&self, kind: u16) -> impl Iterator<Item = &Record<'_>> {
        self.records.iter().take(self.answers).filter(move |record| (record.kind, record.class) == (kind, CLASS_IN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An answer with these records, each named by a pointer to the question.
    fn answer(name: &str, kind: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = question(7, name, kind).expect("a name");
        message.splice(2..3, [0x81]);
        message.splice(7..8, [u8::try_from(records.len()).expect("few")]);
        for (kind, data) in records {
            message.extend([0xc0, 12]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 60]);
            message.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
            message.extend(*data);
        }
        message
    }

    #[test]
    fn names_of_addresses() {
        assert_eq!(reverse_name("192.0.2.7".parse().expect("an address")), "7.2.0.192.in-addr.arpa");
        let v6 = reverse_name("2001:db8::567:89ab".parse().expect("an address"));
        assert_eq!(v6, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "RFC 3596, 2.5");
    }

    #[test]
    fn answers_are_read_by_type_and_past_aliases() {
        let alias: &[u8] = b"\x01a\x00";
        let name: &[u8] = b"\x04scan\x07example\x00";
        let message = answer("7.2.0.192.in-addr.arpa", KIND_PTR, &[(5, alias), (KIND_PTR, name)]);
        let response = Response::parse(&message).expect("an answer");
        assert_eq!(response.names(&message), ["scan.example"]);
        assert_eq!(response.addresses(), Vec::<IpAddr>::new());
        let v6: Ipv6Addr = "2001:db8::1".parse().expect("an address");
        let records: [(u16, &[u8]); 3] = [(KIND_A, &[192, 0, 2, 7]), (KIND_A, &[1, 2]), (KIND_AAAA, &v6.octets())];
        let message = answer("scan.example", KIND_A, &records);
        let response = Response::parse(&message).expect("an answer");
        assert_eq!(response.addresses(), [IpAddr::from([192, 0, 2, 7]), IpAddr::V6(v6)]);
        assert_eq!(response.questions.first().map(|(name, _, _)| name.as_str()), Some("scan.example"));
    }

    #[test]
    fn texts_are_put_together_and_cut_ones_do_no_harm() {
        let records: [(u16, &[u8]); 4] =
            [(KIND_TXT, b"\x03abc\x02de"), (KIND_A, &[1, 2, 3, 4]), (KIND_TXT, b"\x09ab"), (KIND_TXT, b"")];
        let message = answer("a.example", KIND_TXT, &records);
        let response = Response::parse(&message).expect("an answer");
        assert_eq!(response.texts(), [b"abcde".to_vec(), b"ab".to_vec(), Vec::new()]);
    }

    #[test]
    fn a_compressed_name_is_read_from_the_whole_message() {
        let message = answer("scan.example", KIND_PTR, &[(KIND_PTR, &[0x01, b'x', 0xc0, 12])]);
        let response = Response::parse(&message).expect("an answer");
        assert_eq!(response.names(&message), ["x.scan.example"]);
    }

    proptest! {
        #[test]
        fn hostile_answers_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut message = answer("a.example", KIND_PTR, &[]);
            message.splice(7..8, [3]);
            message.extend(bytes);
            if let Ok(response) = Response::parse(&message) {
                let _ = (response.names(&message), response.addresses());
            }
        }
    }
}
