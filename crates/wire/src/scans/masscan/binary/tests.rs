//! Files made byte by byte, and beside masscan itself where it is installed.

use std::io::Cursor;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::scans::{Format, State, detect, read};

const TIME: [u8; 4] = 1_700_000_001_u32.to_be_bytes();
const FOUR: [u8; 4] = [192, 0, 2, 1];
const SIX: [u8; 17] = [6, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

fn one(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let [high, low] = [body.len() >> 7, body.len() & 0x7f].map(|part| u8::try_from(part).expect("short"));
    let length = if high > 0 { vec![high | 0x80, low] } else { vec![low] };
    [&[kind], length.as_slice(), &body].concat()
}

fn header(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(HEADER_BYTES, 0);
    bytes
}

/// Every kind of record, with what masscan 1.3.2 also shows of it.
fn whole() -> Vec<u8> {
    let long = [b'x'; 300];
    [
        header("masscan/1.1.02\ns:1700000000\n"),
        one(6, &[&TIME, &FOUR, &[6, 0, 80, 0x12, 64]]),
        one(6, &[&TIME, &FOUR, &[17, 0, 53, 0x12, 64]]),
        one(10, &[&TIME, &[17, 1, 188, 0x12, 64], &SIX]),
        one(5, &[&TIME, &FOUR, &[6, 0, 22, 0, 3], b"SSH-2.0-old\r\n"]),
        one(9, &[&TIME, &FOUR, &[6, 0, 22, 0, 3, 64], b"SSH-2.0-new<'\\\r\n"]),
        one(9, &[&TIME, &FOUR, &[6, 0, 23, 0, 5, 64], &long]),
        one(9, &[&TIME, &FOUR, &[6, 0, 24, 0, 99, 64], b"new"]),
        one(13, &[&TIME, &[6, 0, 80, 0, 4, 64], &SIX, b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"]),
        header("masscan/1.1"),
    ]
    .concat()
}

fn all(format: Format, bytes: &[u8]) -> (Vec<Record>, Vec<String>) {
    let (good, bad): (Vec<_>, Vec<_>) = read(format, Cursor::new(bytes)).partition(Result::is_ok);
    let errors = bad.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    (good.into_iter().filter_map(Result::ok).collect(), errors)
}

#[test]
fn every_kind_of_record() {
    assert_eq!(detect(&whole()), Some(Format::MasscanBinary));
    let (records, errors) = all(Format::MasscanBinary, &whole());
    assert_eq!((records.len(), errors.len()), (8, 0), "{errors:?}");
    let words = |record: &Record| {
        record.evidence.iter().map(|seen| String::from_utf8_lossy(&seen.bytes).into_owned()).collect::<Vec<_>>()
    };
    let [first, .., web] = &*records else { panic!("eight") };
    assert_eq!(words(first), ["open tcp 80"]);
    assert!(words(web).last().is_some_and(|answer| answer == "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"), "{web:?}");
    assert!(records.iter().all(|record| record.time == crate::scans::epoch("1700000001")));
}

#[test]
fn masscan_itself_says_the_same() {
    let folder = std::env::temp_dir().join(format!("hinomi-masscan-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (binary, list) = (folder.join("made.scan"), folder.join("made.txt"));
    std::fs::write(&binary, whole()).expect("written");
    let output = Command::new("masscan").arg("--readscan").arg(&binary).arg("-oL").arg(&list).output();
    let text = std::fs::read(&list);
    std::fs::remove_dir_all(&folder).expect("removed");
    let Ok(text) = text else {
        println!("stands aside: masscan is not installed ({output:?})");
        return;
    };
    assert_eq!(all(Format::MasscanList, &text), all(Format::MasscanBinary, &whole()));
}

#[test]
fn numbers_of_more_than_one_meaning_claim_no_protocol() {
    let banner = |name: u8| one(9, &[&TIME, &FOUR, &[6, 0, 23, 0, name, 64], b"login: "]);
    let claims = |name: u8| {
        let (records, errors) = all(Format::MasscanBinary, &[header("masscan/1.1"), banner(name)].concat());
        assert_eq!((records.len(), errors.len()), (1, 0), "{errors:?}");
        let words = &records.first().and_then(|record| record.evidence.first()).expect("words").bytes;
        let list = crate::scans::masscan::fields(words);
        list.iter().map(|field| (field.name.to_string(), field.text().into_owned())).collect::<Vec<_>>()
    };
    let own = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(claims(5), [own("claim.protocol", "ftp"), own("claim.banner", "login: ")]);
    for name in [16, 27, 28, 31, 99] {
        assert_eq!(claims(name), [own("claim.banner", "login: ")], "{name}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    let start = header("masscan/1.1.02");
    let records = [
        one(1, &[&TIME, &FOUR, &[0, 53, 0x12, 64]]),
        one(6, &[&TIME, &FOUR, &[1, 0, 0, 0x12, 64]]),
        one(6, &[&TIME, &FOUR]),
        one(99, &[b"of a later version"]),
        one(10, &[&TIME, &[17, 1, 188, 0x12, 64, 4], &SIX]),
        one(7, &[&TIME, &FOUR, &[6, 0, 81, 0x14, 64]]),
    ];
    let (good, errors) = all(Format::MasscanBinary, &[start.clone(), records.concat()].concat());
    assert_eq!(good.iter().map(|record| (record.port, record.state)).collect::<Vec<_>>(), [(81, State::Closed)]);
    assert_eq!(errors.len(), 5, "{errors:?}");
    for part in ["old version", "number 1,", "truncated", "type 99", "version of the address"] {
        assert!(errors.iter().any(|error| error.contains(part)), "{part}: {errors:?}");
    }
    for (tail, part) in [
        (vec![6], "cut off"),
        (vec![6, 13, 0], "cut off"),
        (vec![99, 5, 0], "cut off"),
        (vec![6, 0xff, 0xff, 0x7f], "longer than the 1048576"),
        (vec![0xff, 0xff, 0xff, 0xff], "longer than any"),
    ] {
        let (_, errors) = all(Format::MasscanBinary, &[start.clone(), tail].concat());
        assert!(errors.concat().contains(part) && errors.concat().contains("cannot be read further"), "{errors:?}");
    }
    assert_eq!(all(Format::MasscanBinary, b"").1.len(), 1);
    assert!(all(Format::MasscanBinary, &header("masscan/2")).1.concat().contains("does not begin"));
}

proptest! {
    #[test]
    fn a_banner_of_any_bytes_is_the_same_in_both_forms(said in prop::collection::vec(any::<u8>(), 1..80), port in any::<u16>()) {
        let bytes = [
            header("masscan/1.1.02"),
            one(9, &[&TIME, &FOUR, &[6], &port.to_be_bytes(), &[0, 5, 64], &said]),
        ].concat();
        let (records, errors) = all(Format::MasscanBinary, &bytes);
        prop_assert_eq!(errors.len(), 0);
        let record = records.first().expect("a record");
        prop_assert_eq!(record.port, port);
        let line = format!("banner tcp {port} 192.0.2.1 1700000001 ftp {}\n", list::escaped(&said));
        // Blanks at the ends of a banner are lost in a line.
        if !said.ends_with(b" ") {
            prop_assert_eq!(all(Format::MasscanList, line.as_bytes()).0, records);
        }
    }
}
