//! Vectors are built from their parts after RFC 3412 and RFC 3414; the request is compared byte by byte with a
//! message laid out by hand.

use super::*;

const MAC_ENGINE: &[u8] = b"\x80\x00\x1F\x88\x03\x00\x00\x5E\x00\x53\x01";

fn octets(bytes: &[u8]) -> Vec<u8> {
    element(OCTETS, bytes)
}

/// A report as Net-SNMP sends it: usmStatsUnknownEngineIDs (1.3.6.1.6.3.15.1.1.4.0), a Counter32.
fn report(engine: &[u8], id: i32, boots: i32, uptime_s: i32, counter: u8) -> Vec<u8> {
    let global = constructed(SEQUENCE, &[integer(id), integer(65507), octets(&[0]), integer(3)]);
    let security = constructed(
        SEQUENCE,
        &[octets(engine), integer(boots), integer(uptime_s), octets(b""), octets(b""), octets(b"")],
    );
    let name = element(OBJECT_ID, &[0x2B, 6, 1, 6, 3, 15, 1, 1, 4, 0]);
    let variables = constructed(SEQUENCE, &[constructed(SEQUENCE, &[name, element(0x41, &[counter])])]);
    let data = constructed(REPORT, &[integer(id), integer(0), integer(0), variables]);
    let scoped = constructed(SEQUENCE, &[octets(engine), octets(b""), data]);
    constructed(SEQUENCE, &[integer(3), global, octets(&security), scoped])
}

fn values(bytes: &[u8]) -> Vec<(String, String)> {
    fields(bytes).expect("fields").iter().map(|f| (f.name.to_string(), f.text().into_owned())).collect()
}

fn value(bytes: &[u8], name: &str) -> Option<String> {
    values(bytes).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

#[test]
fn discovery_is_the_documented_bytes() {
    let expected = b"\x30\x3D\x02\x01\x03\
        \x30\x10\x02\x04\x40\x00\x00\x07\x02\x02\x05\xC0\x04\x01\x04\x02\x01\x03\
        \x04\x10\x30\x0E\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00\
        \x30\x14\x04\x00\x04\x00\xA0\x0E\x02\x04\x40\x00\x00\x07\x02\x01\x00\x02\x01\x00\x30\x00";
    assert_eq!(engine_discovery(7), expected);
    assert_eq!(message_id(7), 0x4000_0007);
}

#[test]
fn integers_take_their_shortest_form() {
    for (value, expected) in
        [(0, &b"\x02\x01\0"[..]), (128, b"\x02\x02\0\x80"), (-1, b"\x02\x01\xFF"), (65507, b"\x02\x03\0\xFF\xE3")]
    {
        assert_eq!(integer(value), expected);
        assert_eq!(Elements::new(expected).integer("test").expect("an integer").0, i64::from(value));
    }
}

#[test]
fn engine_ids_tell_maker_and_address() {
    let bytes = report(MAC_ENGINE, 0x4000_0007, 12, 3600, 5);
    assert_eq!(value(&bytes, "snmp.engine-id").as_deref(), Some("80001f880300005e005301"));
    assert_eq!(value(&bytes, "snmp.enterprise").as_deref(), Some("8072"));
    assert_eq!(value(&bytes, "snmp.engine-mac").as_deref(), Some("00:00:5e:00:53:01"));
    assert_eq!(value(&bytes, "snmp.boots").as_deref(), Some("12"));
    let Ok(Message::V3(parsed)) = Message::parse(&bytes) else { panic!("a report") };
    assert_eq!((parsed.message_id, parsed.uptime_s), (message_id(7), 3600));
}

#[test]
fn formats_of_rfc_3411_are_decoded() {
    let text = report(b"\x80\x00\x02\xB8\x04core-sw1", 1, 1, 1, 1);
    assert_eq!(value(&text, "snmp.engine-text").as_deref(), Some("core-sw1"));
    let address = report(b"\x80\x00\x02\xB8\x01\xC0\x00\x02\x07", 1, 1, 1, 1);
    assert_eq!(value(&address, "snmp.engine-ip").as_deref(), Some("192.0.2.7"));
    let old = report(b"\x00\x00\x00\x09\x04abcdefg", 1, 1, 1, 1);
    assert_eq!(value(&old, "snmp.enterprise").as_deref(), Some("9"));
    assert_eq!(value(&old, "snmp.engine-text"), None, "the older form has no text");
}

#[test]
fn mask_makes_two_looks_the_same() {
    let mut first = report(MAC_ENGINE, 0x4000_0007, 12, 3600, 5);
    let mut second = report(MAC_ENGINE, 0x4123_4567, 12, 7205, 6);
    let before = values(&first);
    mask(&mut first);
    mask(&mut second);
    assert_eq!(first, second);
    assert_eq!(values(&first), before);
}

#[test]
fn sys_descr_of_others_scans_is_read() {
    let name = element(OBJECT_ID, &SYS_DESCR);
    let variables = constructed(SEQUENCE, &[constructed(SEQUENCE, &[name, octets(b"NAS, firmware 1.2")])]);
    let data = constructed(GET_RESPONSE, &[integer(1), integer(0), integer(0), variables]);
    let bytes = constructed(SEQUENCE, &[integer(1), octets(b"public"), data]);
    assert_eq!(values(&bytes), [("snmp.sysdescr".to_owned(), "NAS, firmware 1.2".to_owned())]);
}

#[test]
fn requests_and_indefinite_lengths_are_refused() {
    assert!(fields(&engine_discovery(1)).is_err());
    assert!(fields(b"\x30\x80\x02\x01\x03\0\0").is_err());
    assert!(fields(b"\x30\x84\xFF\xFF\xFF\xFF\x02\x01\x03").is_err());
}
